"""What `verify` proves, step by step: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .plans import TableSize
from .results import Revision
from .sent import Sent
from .traces import TracedRevision
from .verdicts import REFUSED, Verdict

if TYPE_CHECKING:
    from .forks import Fork

#: The steps in their order, with the exit status when one fails.
STEPS: Mapping[str, int] = {
    "imports": 2,
    "heads": 8,
    "upgrade": 1,
    "stairway": 1,
    "models": 4,
    "downgrades": 1,
    "docstrings": 1,
    "lint": REFUSED,
    "trace": REFUSED,
}
#: The step without which each of these proves nothing.
NEEDS = {
    "heads": "imports",
    "upgrade": "imports",
    "stairway": "imports",
    "models": "upgrade",
    "downgrades": "imports",
    "docstrings": "imports",
    "lint": "upgrade",
    "trace": "upgrade",
}


class Proof(NamedTuple):
    """What came of one step.

    `about` says what was looked at, as `3 revisions`. `skipped` is why nothing was, or empty.
    `exit_code` is 0 where the step passed or was skipped.
    """

    step: str
    about: str = ""
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str = ""
    seconds: float = 0.0
    exit_code: int = 0

    @property
    def state(self) -> str:
        """`passed`, `failed` or `skipped`."""
        if self.skipped:
            return "skipped"
        return "failed" if self.exit_code else "passed"

    @property
    def refused(self) -> tuple[Verdict, ...]:
        """The verdicts for which it failed."""
        return tuple(each for each in self.verdicts if each.is_refused)


@dataclass(frozen=True)
class Verification:
    """All proofs, in the order of STEPS.

    `new` are the revisions that are new since `since`, oldest first, and `sent` is what each of
    them has sent. `since` is empty where it is not known which are new. `traced` is what each has
    locked. `fork` is how the heads have come apart where they are to be joined. `sizes` are those
    of the live tables by their titles, None where they aren't known.
    """

    proofs: tuple[Proof, ...]
    revisions: int
    since: str
    new: tuple[Revision, ...]
    sent: Mapping[str, tuple[Sent, ...]]
    traced: Mapping[str, TracedRevision]
    fork: "Fork | None" = None
    sizes: Mapping[str, TableSize] | None = None

    @property
    def exit_code(self) -> int:
        """The status of the first step that failed, 0 if none did."""
        return next((each.exit_code for each in self.proofs if each.exit_code), 0)


class Observer:
    """Is called while the steps are taken; this one does nothing."""

    def begins(self, step: str) -> None:
        """Take note that a step begins."""

    def climbs(self, number: int, total: int) -> None:
        """Take note that a step has come to this revision of so many."""

    def ended(self, proof: Proof) -> None:
        """Take note of what came of a step."""

"""What is wrong with a revision, or with one statement of it: plain values."""

from collections.abc import Callable
from typing import Literal, NamedTuple

Level = Literal["error", "warning", "note"]
#: The exit status of an answer that is strict, and has a finding that nothing allows.
REFUSED = 10


class Verdict(NamedTuple):
    """One finding about a revision file.

    `rule` is its short name, such as `adding-not-null-column`. `path` and `line` (from 1) are the
    place in the file, None where it isn't about one. `sql` is the statement that it is about, empty
    for none. `remedy` is the safe way: the code of a revision, ready to paste, or empty. `allowed`
    is the reason that the file gives for allowing the rule there; such a finding stops nothing.
    """

    rule: str
    level: Level
    message: str
    revision: str | None = None
    path: str | None = None
    line: int | None = None
    sql: str = ""
    remedy: str = ""
    allowed: str | None = None

    def redacted(self, redact: Callable[[str], str]) -> "Verdict":
        """Return it without the secrets that `redact` takes out of a text."""
        return self._replace(
            message=redact(self.message),
            sql=redact(self.sql),
            remedy=redact(self.remedy),
            allowed=self.allowed and redact(self.allowed),
        )

    @property
    def is_refused(self) -> bool:
        """Whether it stops what is strict: an error that nothing in the file allows."""
        return self.level == "error" and self.allowed is None

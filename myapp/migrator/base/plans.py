"""What `plan` returns: what a run would do to each database."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from .results import Direction, OfDatabases, Revision, VersionTable
from .sent import Sent
from .verdicts import Verdict


class TableSize(NamedTuple):
    """A table that is there, with its indexes: its size in bytes, and about how many rows it has.

    A number is None where the database doesn't know it. `is_visible`: SQL finds it without its
    schema.
    """

    schema: str | None
    name: str
    bytes: int | None
    rows: int | None
    is_visible: bool = True

    @property
    def title(self) -> str:
        """The name by which SQL finds it."""
        return self.name if self.is_visible or not self.schema else f"{self.schema}.{self.name}"


class Unrendered(NamedTuple):
    """Why a revision can't be written as SQL any further, and the line of its file."""

    line: int | None
    why: str


@dataclass(frozen=True)
class PlannedRevision:
    """What one revision would do to the database of `table`.

    `statements` is what it sends, up to where it is `unrendered`. `tables` are those that are there
    and that its SQL names. `is_transactional`: all of it runs in a transaction. `is_shared`: that
    is the transaction of the whole run.
    """

    revision: Revision
    direction: Direction
    table: VersionTable
    is_transactional: bool
    is_shared: bool
    statements: tuple[Sent, ...] = ()
    unrendered: Unrendered | None = None
    tables: tuple[TableSize, ...] = ()
    findings: tuple[Verdict, ...] = ()

    def redacted(self, redact: Callable[[str], str]) -> "PlannedRevision":
        """Return it without the secrets that `redact` takes out of a text."""
        why = self.unrendered
        return replace(
            self,
            statements=tuple(Sent(redact(each.sql), *each[1:]) for each in self.statements),
            unrendered=why and Unrendered(why.line, redact(why.why)),
            findings=tuple(each.redacted(redact) for each in self.findings),
        )


@dataclass(frozen=True)
class Plan(OfDatabases):
    """What a run to `target` would do, revision by revision, in each database.

    There is none in `databases` where a start was given, and no database was asked. `is_linted` is
    None where the linter has no say, False where it isn't installed.
    """

    direction: Direction
    target: str
    revisions: tuple[PlannedRevision, ...]
    start: str | None = None
    is_past: bool = False
    is_linted: bool | None = None

    @property
    def findings(self) -> tuple[Verdict, ...]:
        """What was found, once where several databases share a revision."""
        return tuple(dict.fromkeys(each for one in self.revisions for each in one.findings))

    @property
    def refused(self) -> tuple[Verdict, ...]:
        """The findings that stop what is strict."""
        return tuple(each for each in self.findings if each.is_refused)

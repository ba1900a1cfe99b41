"""What revisions were seen to do in a scratch database: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from .results import Direction, Revision, VersionTable
from .verdicts import Verdict

if TYPE_CHECKING:
    from .plans import TableSize

Judgement = Literal["harmless", "short", "dangerous"]

#: PostgreSQL's locks on tables, from the weakest to the strongest
#: (https://www.postgresql.org/docs/current/explicit-locking.html).
MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
#: The mode of a writer of SQLite, who locks the whole file.
WHOLE_FILE = "WHOLE FILE"
READS = "SELECT"
WRITES = "INSERT/UPDATE/DELETE"


def waiting_for(mode: str | None) -> tuple[str, ...]:
    """Return the kinds of statements of an application that wait for a lock of this mode.

    They need ACCESS SHARE and ROW EXCLUSIVE.
    """
    if mode == "ACCESS EXCLUSIVE":
        return READS, WRITES
    if mode in ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", WHOLE_FILE):
        return (WRITES,)
    return ()


class Touched(NamedTuple):
    """A table or an index that was there before, and what a statement did to it.

    `mode` is the strongest lock that its transaction then held on it, None if none was seen;
    `is_new`: it wasn't held before the statement. `table` is the table of an index, or the same.
    """

    name: str
    table: str
    mode: str | None
    is_new: bool = True
    is_index: bool = False
    is_rewritten: bool = False
    is_scanned: bool = False

    @property
    def waiting(self) -> tuple[str, ...]:
        """Which kinds of the application's statements on the table wait."""
        return waiting_for(self.mode)


@dataclass(frozen=True)
class TracedStatement:
    """One statement, as it ran in the scratch database.

    `sql` is empty for what went past SQLAlchemy. `touched` holds what was there before. `seconds`
    is how long the scratch database held its locks: until the commit, or with `is_undone` until a
    rollback to a savepoint, which came `following` statements later. `transaction` counts those of
    the revision, from 1; None is outside any: then another connection has looked while it ran, and
    `may_have_missed` a lock that was soon let go. `column_type` is the type of the column that it
    renames.
    """

    sql: str
    line: int | None
    transaction: int | None
    touched: tuple[Touched, ...]
    seconds: float = 0.0
    following: int = 0
    may_have_missed: bool = False
    is_undone: bool = False
    parameters: dict[str, object] | None = None
    column_type: str | None = None
    judgement: Judgement = "harmless"

    @property
    def waiting(self) -> tuple[str, ...]:
        """Which kinds of the application's statements wait."""
        found = {each for touched in self.touched for each in touched.waiting}
        return tuple(kind for kind in (READS, WRITES) if kind in found)


@dataclass(frozen=True)
class TracedRevision:
    """What one revision did, statement by statement, and the verdicts on it.

    `table` is the version table of the scratch database, or of the live one for whose sizes it was
    judged. `renamed` has the first name of each table by the one that it was given.
    """

    revision: Revision
    direction: Direction
    table: VersionTable
    statements: tuple[TracedStatement, ...]
    findings: tuple[Verdict, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def sizes(self, live: "Mapping[str, TableSize]") -> "Mapping[str, TableSize]":
        """Return the sizes of the `live` tables by their first names and those they were given."""
        given = {new: live[first] for new, first in self.renamed.items() if first in live}
        return {**live, **given}


@dataclass(frozen=True)
class Trace:
    """What the revisions of a run did in a scratch database.

    `error` says why it ended before the last one, which is the revision that failed. `notes` say
    what can't be seen there.
    """

    target: str
    revisions: tuple[TracedRevision, ...]
    error: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Verdict, ...]:
        """All verdicts, each once."""
        return tuple(dict.fromkeys(each for one in self.revisions for each in one.findings))

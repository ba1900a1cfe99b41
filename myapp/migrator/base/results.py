"""What the commands return: plain values."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Direction = Literal["upgrade", "downgrade"]
State = Literal["applied", "current", "pending"]
DatabaseState = Literal["ok", "pending", "ahead"]
#: What is wrong with a row of the version table.
RowFault = Literal["null", "empty", "blanks", "twice", "implied"]

_CREATE_DATE = re.compile(r"^Create Date: *(.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Revision:
    """One revision, as its file describes it."""

    revision: str
    down_revisions: tuple[str, ...]
    depends_on: tuple[str, ...]
    branch_labels: tuple[str, ...]
    message: str
    doc: str
    path: str
    next_revisions: tuple[str, ...]
    is_head: bool

    @property
    def is_branch_point(self) -> bool:
        """Whether several revisions follow this one."""
        return len(self.next_revisions) > 1

    @property
    def is_merge_point(self) -> bool:
        """Whether this revision joins several others."""
        return len(self.down_revisions) > 1

    @property
    def created(self) -> datetime | None:
        """When the file was written, as Alembic's template notes it in the docstring."""
        noted = _CREATE_DATE.search(self.doc)
        try:
            return datetime.fromisoformat(noted[1]) if noted else None
        except ValueError:
            return None

    @property
    def title(self) -> str:
        """The id and the message, for use in a sentence."""
        return f"{self.revision} ({self.message})" if self.message else self.revision


@dataclass(frozen=True)
class Step:
    """One revision of a run. `seconds` is how long it took, None while it runs."""

    number: int
    total: int
    revision: Revision
    direction: Direction
    seconds: float | None = None


@dataclass(frozen=True)
class Run:
    """What a run did. `before` and `after` are the version table's rows.

    `standing` says `after` in words.
    """

    direction: Direction
    target: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    steps: tuple[Step, ...]
    is_past: bool
    standing: str


@dataclass(frozen=True)
class Status:
    """Where a database stands against the code: the version table's rows, and what they mean.

    `current` are the code's revisions at which its branches stand, `pending` those that are not
    applied, the newest first, and `unknown` the rows that no revision file has.
    """

    rows: tuple[str, ...]
    current: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def state(self) -> DatabaseState:
        """`ahead` where a row is unknown, `pending` where a revision is not applied."""
        if self.unknown:
            return "ahead"
        return "pending" if self.pending else "ok"


@dataclass(frozen=True)
class Standing:
    """Where the database stands, compared with the code. `heads` are the version table's rows."""

    database: str
    heads: tuple[str, ...]
    current: tuple[Revision, ...]
    pending: tuple[str, ...]


@dataclass(frozen=True)
class MarkedRevision:
    """A revision and its state in the database; None when that is unknown."""

    revision: Revision
    state: State | None


@dataclass(frozen=True)
class HistoryReport:
    """The history, the newest first. `unmarked` says why no revision has a state, if none has."""

    revisions: tuple[MarkedRevision, ...]
    unmarked: str | None


@dataclass(frozen=True)
class Branch:
    """A revision that several others follow."""

    revision: Revision
    next_revisions: tuple[Revision, ...]


@dataclass(frozen=True)
class Stamp:
    """The version table's rows before and after. `standing` says `after` in words."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    standing: str


@dataclass(frozen=True)
class Agreement:
    """What `check` found when models and database agree."""

    heads: tuple[str, ...]


@dataclass(frozen=True)
class NewRevisions:
    """The revisions that were written, and the operations that autogenerate found for them.

    `sql` is the SQL that env.py wrote for `revision --sql`.
    """

    revisions: tuple[Revision, ...]
    operations: tuple[str, ...]
    sql: str = ""


@dataclass(frozen=True)
class Scaffold:
    """The files that were made, and the lines to add to the .ini file."""

    files: tuple[str, ...]
    ini_lines: tuple[str, ...]


@dataclass(frozen=True)
class RowRepair:
    """A row of the version table that is wrong; None stands for NULL.

    `instead` is the row that says it afterwards, if one does.
    """

    row: str | None
    reason: RowFault
    instead: str | None = None


@dataclass(frozen=True)
class TableRepair:
    """What has to be written to a version table, and the rows before and after it.

    `widths` are the characters that its column takes and has to take, None where that is right.
    `is_padded`: its type adds blanks to each id.
    """

    table: str
    before: tuple[str | None, ...]
    after: tuple[str, ...]
    rows: tuple[RowRepair, ...]
    widths: tuple[int, int] | None = None
    is_padded: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether something has to be written."""
        return bool(self.rows or self.widths)


@dataclass(frozen=True)
class Repair:
    """What `repair` writes, or has written, to each version table."""

    tables: tuple[TableRepair, ...]

    @property
    def is_needed(self) -> bool:
        """Whether something has to be written."""
        return any(each.is_needed for each in self.tables)

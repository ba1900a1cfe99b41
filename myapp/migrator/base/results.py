"""What the commands return: plain values."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Direction = Literal["upgrade", "downgrade"]
State = Literal["applied", "current", "pending"]
DatabaseState = Literal["ok", "pending", "ahead"]

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
class VersionTable:
    """The version table of one database or schema, as it was read.

    `database` is the URL of what env.py opened, without password and query. `schema` is the one in
    which the table stands or would be made, None where the database has none. `missing_file` is the
    path of an SQLite file that doesn't exist yet.
    """

    database: str
    schema: str | None
    name: str
    rows: tuple[str, ...]
    missing_file: str | None = None


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

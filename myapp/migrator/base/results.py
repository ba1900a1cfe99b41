"""What the commands return: plain values."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Direction = Literal["upgrade", "downgrade"]
State = Literal["applied", "current", "pending"]
DatabaseState = Literal["ok", "pending", "ahead"]

_USER = re.compile(r"(?<=://)[^/?]*@")
_PARTS = r"[^:/]+://(?:[^/?]*@)?(?P<host>[^/?]*)/(?P<name>[^?]+)"
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

    @property
    def place(self) -> tuple[str, str | None, str]:
        """What stays the same when `env.py` runs again: a user may be new each time."""
        return _USER.sub("", self.database), self.schema, self.name


def union(tables: Iterable[VersionTable]) -> tuple[str, ...]:
    """Return the rows of several version tables as if they were one's."""
    return tuple(dict.fromkeys(row for table in tables for row in table.rows))


def name_of(table: VersionTable, tables: Iterable[VersionTable]) -> str:
    """Return a name for `table` that tells it from the others of `tables`."""
    alike = {(each.schema, each.name) for each in tables if each.database == table.database}
    schema = f", schema {table.schema}" if len({s for s, _ in alike}) > 1 else ""
    name = f", table {table.name}" if len({n for _, n in alike}) > 1 else ""
    return f"{table.database}{schema}{name}"


def short_name(database: str) -> str:
    """Return a database's URL as people name it: `shop on db.example.com`, or an SQLite file."""
    parts = re.fullmatch(_PARTS, database)
    if not parts:
        return database
    return f"{parts['name']} on {parts['host']}" if parts["host"] else parts["name"]


@dataclass(frozen=True)
class Status:
    """Where one database stands against the code.

    `current` are the code's revisions at which its branches stand, `pending` those that are not
    applied, the newest first, and `unknown` the rows that no revision file has. Where there is one,
    the other two can't be told and are empty. `standing` says the rows in words.
    """

    table: VersionTable
    current: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]
    standing: str

    @property
    def rows(self) -> tuple[str, ...]:
        """The version table's rows."""
        return self.table.rows

    @property
    def state(self) -> DatabaseState:
        """`ahead` where a row is unknown, `pending` where a revision is not applied."""
        if self.unknown:
            return "ahead"
        return "pending" if self.pending else "ok"


@dataclass(frozen=True, kw_only=True)
class OfDatabases:
    """An answer about each database that `env.py` opens, in its order. There may be none."""

    databases: tuple[Status, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows of all version tables, as if they were one."""
        return union(status.table for status in self.databases)

    @property
    def database(self) -> str | None:
        """The database's URL without its secrets, None unless it is one."""
        return self.databases[0].table.database if len(self.databases) == 1 else None

    @property
    def standing(self) -> str:
        """Where they stand, in words."""
        return ", ".join(dict.fromkeys(status.standing for status in self.databases))


@dataclass(frozen=True)
class _Change(OfDatabases):
    """An answer of a command that writes version tables. `before` are the rows of all of them."""

    before: tuple[str, ...]

    @property
    def after(self) -> tuple[str, ...]:
        """The rows afterwards."""
        return self.rows


@dataclass(frozen=True)
class Step:
    """One revision of a run. `seconds` is how long it took, None while it runs.

    `place` names the database, where `env.py` opens several.
    """

    number: int
    total: int
    revision: Revision
    direction: Direction
    table: VersionTable
    place: str = ""
    seconds: float | None = None

    @property
    def title(self) -> str:
        """The revision, and the database where that is in question, for use in a sentence."""
        return f"{self.revision.title} in {self.place}" if self.place else self.revision.title


@dataclass(frozen=True)
class Run(_Change):
    """What a run did."""

    direction: Direction
    target: str
    steps: tuple[Step, ...]
    is_past: bool


@dataclass(frozen=True)
class CurrentRevisions(OfDatabases):
    """Where the databases stand, compared with the code.

    `current` are the revisions of all, and `pending` those that one of them hasn't been through.
    """

    current: tuple[Revision, ...]
    pending: tuple[str, ...]


@dataclass(frozen=True)
class MarkedRevision:
    """A revision and its state in the database; None when that is unknown."""

    revision: Revision
    state: State | None


@dataclass(frozen=True)
class HistoryReport(OfDatabases):
    """The history, the newest first. `unmarked` says why no revision has a state, if none has.

    `dependencies` are the ids behind each revision's `depends_on`, which may name labels.
    """

    revisions: tuple[MarkedRevision, ...]
    unmarked: str | None
    dependencies: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Branch:
    """A revision that several others follow."""

    revision: Revision
    next_revisions: tuple[Revision, ...]


@dataclass(frozen=True)
class Stamp(_Change):
    """What a stamp did. `stood` is where each database was before; `ensure-version` leaves it."""

    stood: tuple[Status, ...] = ()


@dataclass(frozen=True)
class Agreement(OfDatabases):
    """What `check` found when models and database agree."""


@dataclass(frozen=True)
class NewRevisions:
    """The revisions that were written, and the operations that autogenerate found for them.

    `sql` is the SQL that env.py wrote for `revision --sql`. `losses` are those of the operations
    with which data goes. `possible_renames` are what `--rename` would take for a removed and an
    added column.
    """

    revisions: tuple[Revision, ...]
    operations: tuple[str, ...]
    sql: str = ""
    losses: tuple[str, ...] = ()
    possible_renames: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scaffold:
    """The files that were made, and the lines to add to the .ini file."""

    files: tuple[str, ...]
    ini_lines: tuple[str, ...]

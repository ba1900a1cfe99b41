"""What `status` tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from .results import Revision, Status

if TYPE_CHECKING:
    from .forks import Fork


class LockHolder(NamedTuple):
    """Who holds the migration lock.

    `since` is when its session began, and `revision` the one that runs; None if that isn't known.
    """

    pid: int
    application: str
    host: str
    since: datetime | None
    revision: str | None


class Trouble(NamedTuple):
    """Something that stands in the way of the next run: what, and what to type, if that helps."""

    what: str
    cure: str


class DatabaseReport(NamedTuple):
    """One database or schema that `env.py` opens.

    `database` is its URL without password and query, None if `env.py` did not come so far.
    `server` is its kind and version. `seconds` is how long it took to answer. `status` is None
    where `unreachable` says why it can't be asked, or `unreadable` what is wrong with its version
    table; `exit_code` is that of other commands then. `implied` are rows that another row says
    already. `is_standby` says whether it only follows another server, whose locks it doesn't see.
    `interrupted` are the traces of runs that did not end, and `lacking` are the rights
    that the role lacks for what is pending. `unread` are the ids of pending revisions whose text
    doesn't say all that they would need.
    """

    database: str | None
    schema: str | None
    server: str | None
    seconds: float
    unreachable: Trouble | None = None
    unreadable: Trouble | None = None
    exit_code: int = 0
    status: Status | None = None
    implied: Sequence[str] = ()
    is_standby: bool = False
    holder: LockHolder | None = None
    interrupted: Sequence[str] = ()
    invalid_indexes: Sequence[Trouble] = ()
    lacking: Sequence[Trouble] = ()
    unread: Sequence[str] = ()


@dataclass(frozen=True)
class StatusReport:
    """Where each database stands, and what the next run meets there.

    `heads` are the code's, and `fork` is how they have come apart where they are to be joined.
    `pending` are the revisions that one of the databases has not been through, in the order of a
    run.
    """

    heads: tuple[Revision, ...]
    fork: "Fork | None"
    pending: tuple[Revision, ...]
    databases: tuple[DatabaseReport, ...]

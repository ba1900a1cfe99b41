"""What all locks share: the holder, the wait, and the error when the wait is over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy.engine import URL, Connection, Engine

from ..base.attempts import attempts
from ..base.errors import LockNotObtained
from ..bridge.context import LONGEST_NAME

T = TypeVar("T")

#: What stands between the name of a run and the revision that it is in.
_IN = ": "


class Lock:
    """A lock that is held, with the connection that holds it, if any; this one holds nothing."""

    #: Opens more connections to the server of the lock; None where there are none to be had.
    engine: Engine | None = None
    #: Whether there is a server that can be asked, with `ask`.
    has_server = False

    @property
    def pid(self) -> int | None:
        """The server process that holds it, None where that isn't the lock's own."""
        return None

    def require_held(self) -> None:
        """Raise LockLost when the lock is gone, so that the run may not go on."""

    def note(self, revision: str | None) -> None:
        """Let others see that `revision` runs now."""

    def join(self, connection: Connection) -> int | None:
        """Make `connection` part of the run: no other run starts while a statement runs on it.

        Returns the pid of its server process, None where that isn't known.
        """
        return None

    def join_transaction(self, connection: Connection) -> int | None:
        """Do what `join` does, for one transaction. A pooler may share the session."""
        return None

    def is_at(self, connection: Connection) -> bool:
        """Tell whether this is the lock of the database to which `connection` leads.

        Raises LockLost when that can't be told any more.
        """
        return True

    def ask(self, question: Callable[[Connection], T]) -> T | None:
        """Return what `question` finds out on a connection beside the migration's.

        None where there is no such connection, or the server can't be asked.
        """
        return None


class NoLock(Lock):
    """No lock: there is none for the database at `url`, or none is known yet."""

    def __init__(self, url: URL | None) -> None:
        self._url = url

    def is_at(self, connection: Connection) -> bool:
        """Tell whether `connection` leads to that database."""
        return connection.engine.url == self._url


@dataclass(frozen=True)
class Holder:
    """Who holds the lock. `since` is when its session began, None if this user may not know.

    On PostgreSQL, `pid` is that of the server's process, and `host` is where its client is.
    """

    pid: int
    #: It is shortened while a revision is told with it.
    application: str = field(compare=False)
    host: str
    since: datetime | None
    is_of_server: bool = False
    #: The revision that runs, where the run has told it: it moves on without the holder changing.
    revision: str | None = field(default=None, compare=False)

    def is_run(self, application: str) -> bool:
        """Tell whether this is the run of that name, which may be cut here."""
        return told_as(application, self.revision) == told_as(self.application, self.revision)

    def __str__(self) -> str:
        whose, preposition = (" of the server", ", from") if self.is_of_server else ("", " on")
        where = f"{preposition} {self.host}" if self.host else ""
        time = self.since and self.since.astimezone().isoformat(sep=" ", timespec="seconds")
        since = f", since {time}" if time else ""
        return f"pid {self.pid}{whose}{where} ({self.application}){since}"


def told_as(application: str, revision: str | None) -> str:
    """Return the name under which a run is seen in the database while `revision` runs.

    `application` ends with the machine and the process. Where PostgreSQL would cut the revision
    off, the machine is cut.
    """
    if not revision:
        return application
    name, colon, pid = application.rpartition(":")
    told = f"{colon}{pid}{_IN}{revision}"
    return name[: max(0, LONGEST_NAME - len(told.encode()))] + told


class TellingName:
    """The name of a session that tells which revision has run for a while."""

    def __init__(self, application: str) -> None:
        self._application = application
        #: The revision that runs.
        self.revision: str | None = None
        self._seen: str | None = None
        self._told = application

    def to_be_told(self) -> str | None:
        """Return the new name where one is due, which is when a call meets a revision again.

        Most revisions are over sooner, and cost no statement.
        """
        before, self._seen = self._seen, self.revision
        name = told_as(self._application, self._seen if self._seen == before else None)
        if name == self._told:
            return None
        self._told = name
        return name


def named_holder(
    pid: int, name: str, host: str, since: datetime | None, *, is_of_server: bool = False
) -> Holder:
    """Return the holder that has a `name` which `told_as` has given it."""
    application, _, revision = name.partition(_IN)
    return Holder(pid, application, host, since, is_of_server, revision or None)


def wait_for(
    attempt: Callable[[], bool],
    holder: Callable[[], Holder | None],
    wait: float,
    notice: Callable[[str], None],
) -> None:
    """Call `attempt` until it succeeds, for `wait` seconds at most.

    `notice` is called with a sentence when the holder changes.

    Raises LockNotObtained.
    """
    told = None
    for is_last in attempts(wait):
        if attempt():
            return
        found = holder()
        if is_last:
            raise LockNotObtained(
                f"Another run is migrating this database{f': {found}' if found else ''}. It did not"
                f" finish within {wait:g} s.",
                hint="wait for it and run again, or wait longer with `--lock-wait SECONDS`.",
                holder=str(found) if found else None,
            )
        if found is not None and found != told:
            notice(f"waiting for another run to finish: {found}")
            told = found

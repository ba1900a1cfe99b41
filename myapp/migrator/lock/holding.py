"""What all locks share: the holder, the wait, and the error when the wait is over."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.engine import URL, Connection, Engine

from ..base.attempts import attempts
from ..base.errors import LockNotObtained

T = TypeVar("T")


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
    application: str
    host: str
    since: datetime | None
    is_of_server: bool = False

    def __str__(self) -> str:
        whose, preposition = (" of the server", ", from") if self.is_of_server else ("", " on")
        where = f"{preposition} {self.host}" if self.host else ""
        time = self.since and self.since.astimezone().isoformat(sep=" ", timespec="seconds")
        since = f", since {time}" if time else ""
        return f"pid {self.pid}{whose}{where} ({self.application}){since}"


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

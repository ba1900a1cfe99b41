"""What all locks share: the holder, the wait, and the error when the wait is over."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from ..base.attempts import attempts
from ..base.errors import LockNotObtained
from ..database.blockers import Blocker


class Lock:
    """A lock that is held, and what its connection knows of the run. This one locks nothing."""

    def require_held(self) -> None:
        """Raise LockLost when the lock is gone, so that the run may not go on."""

    def join(self, connection: Connection) -> None:
        """Make `connection` part of the run: no other run starts while a statement runs on it.

        Raises SettingsError when the lock is held in another database.
        """

    def join_transaction(self, connection: Connection) -> None:
        """Do what `join` does, for one transaction. A pooler may share the session."""

    def invalid_indexes(self) -> frozenset[str]:
        """Return the indexes that a failed CREATE INDEX CONCURRENTLY has left, by quoted name."""
        return frozenset()

    def committed_since(self, transaction: int, pid: int) -> int | None:
        """Return how many transactions of the server were committed since `transaction` began.

        It waits until the session `pid` has ended. None if the server can't be asked.
        """
        return None

    def blockers(self) -> tuple[Blocker, ...]:
        """Return the sessions that were seen to block the run since the last call."""
        return ()


@dataclass(frozen=True)
class Holder:
    """Who holds the lock. `since` is when its session began, None if this user may not know."""

    pid: int
    application: str
    host: str
    since: datetime | None

    def __str__(self) -> str:
        where = f" on {self.host}" if self.host else ""
        since = f", since {self.since.astimezone():%Y-%m-%d %H:%M:%S}" if self.since else ""
        return f"pid {self.pid}{where} ({self.application}){since}"


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

"""What a PostgreSQL server tells of a run beside its own connection: blockers, leftovers, commits.

It is asked on the connection that holds the lock, and on one more for a revision that takes long.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from ..base.attempts import attempts
from ..database.blockers import Blocker, BlockerWatch, OwnSession
from ..database.held_locks import are_held, send_autovacuum_away
from ..database.invalid_indexes import InvalidIndex, left_invalid
from ..database.transactions import COMMITTED
from ..lock import Lock

_IS_ALIVE = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
_NEXT_TRANSACTION = text("SELECT txid_snapshot_xmax(txid_current_snapshot())")
#: The longest and the shortest time between two questions who blocks, in seconds. PostgreSQL looks
#: for deadlocks once a second.
_OFTEN, _SELDOM_ENOUGH = 0.4, 0.05
#: How many seconds the server has to notice that a session of the run is lost.
_ENDING = 2.0


class Observer:
    """Asks the server of `lock` about the run; where no server keeps the lock, it sees nothing.

    Where the server has no connection to spare, nobody watches who blocks the run.
    """

    def __init__(self, lock: Lock, lock_timeout: float) -> None:
        """`lock_timeout` is how long the run waits for a lock, in seconds; 0 means without end."""
        self._lock = lock
        #: Returns all sessions that the run has open, as far as is known.
        self.own_sessions: Callable[[], Collection[OwnSession]] = frozenset
        self._pid: int | None = None
        self._watch: BlockerWatch | None = None
        if (engine := lock.engine) is not None:
            interval = max(_SELDOM_ENOUGH, min(lock_timeout / 4 or _OFTEN, _OFTEN))

            # An env.py may have gone on to another server, where the number means another session.
            def pid() -> int | None:
                return self._pid if lock.engine is engine else None

            self._watch = BlockerWatch(engine, pid, interval, own=lambda: self.own_sessions())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch within who blocks the run."""
        if self._watch is None:
            yield
            return
        with self._watch.watching():
            yield

    def follow(self, pid: int | None) -> None:
        """Treat the server process `pid`, where it is known, as the run's from now on."""
        self._pid = pid or self._pid

    def blockers(self) -> tuple[Blocker, ...]:
        """Return the sessions that were seen to block the run since `forget`."""
        return self._watch.seen if self._watch else ()

    def forget(self) -> None:
        """Forget who has blocked the run."""
        if self._watch:
            self._watch.take()

    def is_locked_out(self) -> bool:
        """Tell whether a lock that was waited for is still held; False where that isn't known."""
        held = self._held
        return bool(self._lock.ask(lambda connection: are_held(connection, held)))

    def send_autovacuum_away(self) -> None:
        """Let autovacuum leave the tables on which it has blocked the run."""
        if held := self._held:
            self._lock.ask(lambda connection: send_autovacuum_away(connection, held))

    @property
    def _held(self) -> frozenset[str]:
        return self._watch.held if self._watch else frozenset()

    @property
    def has_blocked_itself(self) -> bool:
        """Whether one session of the run blocked another when the server was last asked."""
        return any(blocker.is_own for blocker in (self._watch.seen if self._watch else ()))

    def invalid_indexes(self) -> frozenset[InvalidIndex] | None:
        """Return the invalid indexes of the database; None where the server can't be asked."""
        if not self._lock.has_server:
            return frozenset()
        return self._lock.ask(
            lambda connection: left_invalid(lambda sql: [*connection.exec_driver_sql(sql)])
        )

    def committed_since(self, transaction: int, pid: int) -> int | None:
        """Return how many of the server's transactions were committed since a given one began.

        It waits until the session `pid` has ended; None where that can't be asked.
        """
        return self._lock.ask(lambda connection: _committed(connection, transaction, pid))


def _committed(connection: Connection, transaction: int, pid: int) -> int | None:
    for is_last in attempts(_ENDING):
        if not connection.scalar(_IS_ALIVE, {"pid": pid}):
            break
        if is_last:
            return None
    end = connection.scalar(_NEXT_TRANSACTION)
    counted = connection.scalar(text(COMMITTED.format(first=transaction, end=end)))
    return None if counted is None else int(counted)

"""What a PostgreSQL server tells of a run beside its own connection: blockers, leftovers, commits.

It is asked on the connection that holds the lock, and on one more for a revision that takes long.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from ..base.attempts import attempts
from ..database.blockers import Blocker, BlockerWatch
from ..database.transactions import COMMITTED
from ..lock import Lock

_INVALID_INDEXES = text(
    "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid"
    # Two kinds of invalid indexes don't count: a partitioned index whose partitions don't all have
    # one yet, and an index that another session is building now.
    " WHERE NOT indisvalid AND indislive AND c.relkind = 'i' AND indexrelid NOT IN"
    " (SELECT index_relid FROM pg_stat_progress_create_index WHERE index_relid IS NOT NULL)"
)
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
        self._pid: int | None = None
        self._watch: BlockerWatch | None = None
        if (engine := lock.engine) is not None:
            interval = max(_SELDOM_ENOUGH, min(lock_timeout / 4 or _OFTEN, _OFTEN))

            # An env.py may have gone on to another server, where the number means another session.
            def pid() -> int | None:
                return self._pid if lock.engine is engine else None

            self._watch = BlockerWatch(engine, pid, interval)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch within who blocks the run."""
        if self._watch is None:
            yield
            return
        with self._watch.watching():
            yield

    def follow(self, pid: int | None) -> None:
        """Take the server process `pid` for the run's from now on, where it is known."""
        self._pid = pid or self._pid

    def blockers(self) -> tuple[Blocker, ...]:
        """Return the sessions that were seen to block the run since the last call."""
        return self._watch.take() if self._watch else ()

    def invalid_indexes(self) -> frozenset[str] | None:
        """Return the indexes that a failed CREATE INDEX CONCURRENTLY has left, by quoted name.

        None where the server can't be asked, which is something else than that there are none.
        """
        if not self._lock.has_server:
            return frozenset()
        return self._lock.ask(lambda connection: frozenset(connection.scalars(_INVALID_INDEXES)))

    def committed_since(self, transaction: int, pid: int) -> int | None:
        """Return how many of the server's transactions were committed since one began.

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

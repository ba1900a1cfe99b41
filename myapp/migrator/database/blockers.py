"""Who blocks a migration that waits for a lock on PostgreSQL."""

import json
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..base.attempts import asked_once
from .held_locks import HELD_BY_BLOCKER
from .masking import masked
from .own_connection import OwnConnection

# The question who blocks takes the server's table of locks for a moment, so it is asked only while
# the session waits, or where this user may not know whether it does.
_BLOCKERS = text(
    "WITH own AS (SELECT pid FROM pg_stat_activity JOIN json_to_recordset(CAST(:own AS json))"  # noqa: S608 - a constant
    " AS given (pid int, datname name, usename name, application_name text)"
    " USING (pid, datname, usename, application_name))"
    " SELECT blocker.pid, blocker.application_name, coalesce(blocker.usename, ''),"
    " coalesce(blocker.state, ''), now() - coalesce(blocker.xact_start, blocker.backend_start),"
    " coalesce(blocker.query, ''),"
    # One that itself waits for a lock only stands before the other in the queue.
    " blocker.pid IN (SELECT pid FROM own) AND blocker.wait_event_type IS DISTINCT FROM 'Lock',"
    f" waiting.pid, ARRAY({HELD_BY_BLOCKER})"
    " FROM (SELECT pid FROM own UNION SELECT CAST(:pid AS int)) AS waiting"
    " CROSS JOIN LATERAL pg_stat_get_activity(waiting.pid) AS activity"
    " CROSS JOIN LATERAL unnest(CASE WHEN activity.wait_event_type = 'Lock'"
    " OR activity.state IS NULL THEN pg_blocking_pids(waiting.pid) END) AS blocking (pid)"
    " JOIN pg_stat_activity blocker ON blocker.pid = blocking.pid ORDER BY 5 DESC"
)
_CANCEL = text("SELECT pg_cancel_backend(:pid)")
#: For so many seconds a session may wait for one of the same run that does nothing. Then it is
#: cancelled, since the one would do nothing for ever.
_STUCK = 2.0
#: How many seconds the end of a run waits for the thread, which may hang on a lost server.
_JOIN_SECONDS = 2.0


@dataclass(frozen=True)
class OwnSession:
    """A session of the run, as its server lists it.

    Another server may have a session of the same pid, so that more is needed to know it again.
    """

    pid: int
    datname: str
    usename: str
    application_name: str


@dataclass(frozen=True)
class Blocker:
    """A session that holds a lock which the migration waits for; literals are masked in `query`.

    PostgreSQL shows only the names of another user's session, except to members of the role
    pg_read_all_stats.
    """

    pid: int
    application: str
    user: str
    state: str
    age: timedelta | None
    query: str
    #: Whether it is one of the run's own.
    is_own: bool = False

    def __str__(self) -> str:
        who = ", ".join(filter(None, [self.application, self.user and f"user {self.user}"]))
        if self.age is None:
            return f"pid {self.pid} ({who}; for more, GRANT pg_read_all_stats to this user)"
        state = f"{self.state or 'at work'} for {self.age.total_seconds():.0f} s"
        query = f": {self.query}" if self.query else ""
        return f"pid {self.pid} ({'; '.join(filter(None, [who, state]))}){query}"


class BlockerWatch:
    """Asks every `interval` seconds, on a connection of its own, who blocks the migration.

    It connects only when a revision has taken half of `interval`. `seen` is called, in the
    watching thread, with the session that has blocked for longest. `own` returns all sessions of
    the run: who blocks these is told too. If one of them blocks another and does nothing, the
    other is cancelled after a moment.
    """

    def __init__(
        self,
        engine: Engine,
        pid: Callable[[], int | None],
        interval: float,
        seen: Callable[[Blocker], None] | None = None,
        own: Callable[[], Collection[OwnSession]] = frozenset,
    ) -> None:
        self._engine = engine
        self._pid = pid
        self._interval = interval
        self._tell = seen
        self._own = own
        self._stuck: dict[int, float] = {}  # since when each of the run's sessions is stuck
        self._stop = threading.Event()
        #: Who blocked when it last looked.
        self.seen: tuple[Blocker, ...] = ()
        #: The locks that were held then, as `held_locks` names them.
        self.held: frozenset[str] = frozenset()
        self._since = time.monotonic()

    @contextmanager
    def watching(self, seconds: float = _JOIN_SECONDS) -> Iterator[None]:
        """Watch in a thread within. At the end, wait up to `seconds` for the thread."""
        thread = threading.Thread(target=self._watch, name="blocker-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(seconds)

    def take(self) -> tuple[Blocker, ...]:
        """Return who blocked when it last looked, and start anew for the next try."""
        self._since = time.monotonic()
        seen, self.seen, self.held = self.seen, (), frozenset()
        return seen

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            if self._has_waited():
                # If the server is gone or full, the migration's own error says so.
                with (
                    suppress(DBAPIError),
                    asked_once(),
                    closing(OwnConnection(self._engine)) as connection,
                ):
                    connection.ask(self._ask)
                    while not self._stop.wait(self._interval):
                        if self._has_waited():
                            connection.ask(self._ask)

    def _has_waited(self) -> bool:
        return time.monotonic() - self._since >= self._interval / 2

    def _ask(self, connection: Connection) -> None:
        own = json.dumps([asdict(session) for session in self._own()])
        rows = connection.execute(_BLOCKERS, {"own": own, "pid": self._pid()}).all()
        if rows:
            self.held = frozenset(lock for row in rows for lock in row[-1])
            found = {
                pid: Blocker(pid, application, user, state, age, masked(query), is_own)
                for pid, application, user, state, age, query, is_own, *_ in rows
            }
            self.seen = tuple(found.values())
            if self._tell:
                self._tell(self.seen[0])
        self._free(
            connection,
            {
                waiting
                for _, _, _, state, _, _, is_own, waiting, _ in rows
                if is_own and state == "idle in transaction"
            },
        )

    def _free(self, connection: Connection, stuck: set[int]) -> None:
        """Cancel those of the `stuck` sessions that have been so for long."""
        now = time.monotonic()
        self._stuck = {pid: self._stuck.get(pid, now) for pid in stuck}
        for pid, since in self._stuck.items():
            if now - since >= _STUCK:
                connection.execute(_CANCEL, {"pid": pid})

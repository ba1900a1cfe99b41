"""Who blocks a migration that waits for a lock on PostgreSQL."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..base.attempts import asked_once
from .masking import masked
from .own_connection import OwnConnection

_BLOCKERS = text(
    "SELECT pid, application_name, coalesce(usename, ''), coalesce(state, ''),"
    " now() - coalesce(xact_start, backend_start), coalesce(query, '')"
    " FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(:pid)) ORDER BY 5 DESC"
)
#: How many seconds the end of a run waits for the thread, which may hang on a lost server.
_JOIN_SECONDS = 2.0


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
    watching thread, with the session that has blocked for longest.
    """

    def __init__(
        self,
        engine: Engine,
        pid: Callable[[], int | None],
        interval: float,
        seen: Callable[[Blocker], None] | None = None,
    ) -> None:
        self._engine = engine
        self._pid = pid
        self._interval = interval
        self._tell = seen
        self._stop = threading.Event()
        self._seen: tuple[Blocker, ...] = ()
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
        seen, self._seen = self._seen, ()
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
        rows = connection.execute(_BLOCKERS, {"pid": self._pid()}).all()
        if rows:
            self._seen = tuple(
                Blocker(pid, application, user, state, age, masked(query))
                for pid, application, user, state, age, query in rows
            )
            if self._tell:
                self._tell(self._seen[0])

"""Who keeps a migration waiting for a lock on PostgreSQL."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

_BLOCKERS = text(
    "SELECT pid, application_name, coalesce(usename, ''), coalesce(state, 'background'),"
    " now() - coalesce(xact_start, backend_start), query"
    " FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(:pid)) ORDER BY 5 DESC"
)
_LITERALS = re.compile(
    r"[eEbBxX]?'(?:[^'\\]|''|\\.)*'?|\$(\w*)\$.*?(?:\$\1\$|$)|\b\d[\w.]*\b", re.S
)


@dataclass(frozen=True)
class Blocker:
    """A session that holds a lock which the migration waits for; literals are masked in `query`."""

    pid: int
    application: str
    user: str
    state: str
    age: timedelta
    query: str

    def __str__(self) -> str:
        who = ", ".join(filter(None, [self.application, self.user and f"user {self.user}"]))
        seconds = f"{self.age.total_seconds():.0f} s"
        return f"pid {self.pid} ({who}; {self.state} for {seconds}): {self.query}"


def masked(query: str) -> str:
    """Return the first line of `query` with its literals replaced by `?`."""
    lines = [line.strip() for line in _LITERALS.sub("?", query).splitlines() if line.strip()]
    return lines[0][:200] if lines else ""


class BlockerWatch:
    """Asks now and then, on a connection of its own, who blocks the migration."""

    def __init__(self, engine: Engine, pid: Callable[[], int | None], interval: float) -> None:
        self._engine = engine
        self._pid = pid
        self._interval = interval
        self._stop = threading.Event()
        self.seen: tuple[Blocker, ...] = ()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch in a thread until the block is left."""
        thread = threading.Thread(target=self._watch, name="blocker-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            if (pid := self._pid()) is None:
                continue
            try:
                with self._engine.connect() as connection:
                    rows = connection.execute(_BLOCKERS, {"pid": pid}).all()
            except DBAPIError:
                continue  # the server is gone or full: the migration itself will tell
            if rows:
                self.seen = tuple(
                    Blocker(pid, application, user, state, age, masked(query))
                    for pid, application, user, state, age, query in rows
                )

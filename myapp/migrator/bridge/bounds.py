"""Reading a database within a time limit. The error names who holds the lock."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from sqlite3 import ProgrammingError
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..base.attempts import TimeLeft
from ..base.errors import DatabaseUnreachable
from ..database.blockers import Blocker, BlockerWatch
from ..database.engine import own_engine
from ..database.failures import error_code
from ..database.listening import listening
from ..database.silence import Silence
from .context import RunContext
from .opening import opened

_NOT_IN_TIME = "55P03"
#: How many seconds the server has to answer each statement. Each reads only a few rows.
_SILENCE = 30.0
#: The shortest time limit for a lock. Another session may hold one for a moment, and 0 would mean
#: no limit to PostgreSQL.
_LEAST = 0.1
_OFTEN = 0.4
_BEFORE_TOLD = 1.0


@contextmanager
def looking(
    context: RunContext,
    *,
    seconds: float | None = None,
    lock_wait: float | None = None,
    silence: float = _SILENCE,
) -> Iterator[None]:
    """Limit every wait within, on connections that only read, also those that `env.py` opens.

    All of it may take `seconds`, and a lock `lock_wait` seconds. The default for a lock is 5 s or,
    if that is set, `migrate.lock_timeout`, or `migrate.lock_wait` if that is 0. The server has
    `silence` seconds to answer each statement.

    Raises DatabaseUnreachable, naming who holds the lock, when it takes longer.
    """
    options = context.settings.options
    bounds = [options.lock_timeout_once or options.lock_wait, lock_wait, seconds]
    bound = max(min(each for each in bounds if each is not None), _LEAST)
    time_left = TimeLeft(seconds)
    look = _Look(context, bound, time_left, Silence(min(silence, seconds or silence)))
    with (
        opened(context, time_left),
        listening(engine_connect=look.connected, begin=look.begun),
        look.bounded(),
    ):
        yield


class _Look:
    def __init__(
        self, context: RunContext, bound: float, time_left: TimeLeft, silence: Silence
    ) -> None:
        self._context = context
        self._bound = bound
        self._time_left = time_left
        self._silence = silence
        self._begin = time.monotonic()
        self._is_told = False
        self._watch: BlockerWatch | None = None
        self._stack = ExitStack()

    @contextmanager
    def bounded(self) -> Iterator[None]:
        with self._stack:
            self._stack.enter_context(self._silence.bounded())
            try:
                yield
            except DBAPIError as error:
                if self._silence.is_over:
                    raise self._silence.error(self._blockers()) from error
                if error_code(error) == _NOT_IN_TIME:
                    raise self._locked() from error
                raise

    def connected(self, connection: Connection) -> None:
        dbapi_connection = connection.connection.dbapi_connection
        self._context.canceller.add(dbapi_connection)
        if connection.dialect.name == "postgresql":
            self._silence.add(dbapi_connection)
            self._watch_blockers(connection)
        elif connection.dialect.name == "sqlite" and not connection.dialect.is_async:
            self._hurry(dbapi_connection)

    def begun(self, connection: Connection) -> None:
        """Limit the wait for a lock in this transaction only, as a pooler may share the session."""
        autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        if connection.dialect.name == "postgresql" and not autocommit:
            milliseconds = self._milliseconds_left()
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")

    def _milliseconds_left(self) -> int:
        left = self._time_left.left(_LEAST)
        return round((self._bound if left is None else min(self._bound, left)) * 1000)

    def _hurry(self, dbapi_connection: Any) -> None:
        """Shorten SQLite's own wait for a lock, until the look is over."""
        (before,) = dbapi_connection.execute("PRAGMA busy_timeout").fetchone()
        wanted = self._milliseconds_left()
        if wanted < before:
            dbapi_connection.execute(f"PRAGMA busy_timeout = {wanted}")
            self._stack.callback(_restore, dbapi_connection, before)

    def _watch_blockers(self, connection: Connection) -> None:
        info = getattr(connection.connection.dbapi_connection, "info", None)
        pid = getattr(info, "backend_pid", None)
        has_one = self._context.settings.options.has_session_lock  # and none to spare for the watch
        if pid is None or self._watch or has_one:
            return
        engine = own_engine(connection.engine)
        interval = min(self._bound / 4, _OFTEN)
        self._watch = BlockerWatch(engine, lambda: pid, interval, self._blocked)
        self._stack.enter_context(self._watch.watching(seconds=0))

    def _blocked(self, blocker: Blocker) -> None:
        # A caller that gives `seconds` looks again and again, and tells about it itself.
        is_due = time.monotonic() - self._begin >= _BEFORE_TOLD
        if is_due and self._time_left.seconds is None and not self._is_told:
            self._is_told = True
            self._context.watcher.notice(
                f"waiting {round(self._bound, 1):g} s at most to read the database."
                f" Blocked by {blocker}"
            )

    def _blockers(self) -> str:
        seen = self._watch.take() if self._watch else ()
        return "".join(f"\nBlocked by {blocker}." for blocker in seen)

    def _locked(self) -> DatabaseUnreachable:
        return DatabaseUnreachable(
            "The database can't be read: another session has locked what has to be read, and kept"
            f" it locked for {round(self._bound, 1):g} s.{self._blockers()}",
            hint="run it again when that session has ended.",
            retryable=True,
        )


def _restore(dbapi_connection: Any, busy_timeout: int) -> None:
    with suppress(ProgrammingError):  # it has been closed
        dbapi_connection.execute(f"PRAGMA busy_timeout = {busy_timeout}")

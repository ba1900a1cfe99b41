"""PostgreSQL: a session advisory lock, on a connection that does nothing else.

The wait is a loop of `pg_try_advisory_lock`. A session that blocks in `pg_advisory_lock` holds a
snapshot, and CREATE INDEX CONCURRENTLY in the other run would wait for it for ever.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Engine, event, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..base.attempts import asked_once
from ..base.errors import DatabaseUnreachable, LockLost, SettingsError
from ..bridge.context import RunContext
from ..bridge.readiness import until_up
from ..database.engine import make_own_engine
from ..database.silence import Silence
from ..settings.settings import Settings
from .holding import Holder, Lock, wait_for
from .place import failed, keys, lock_url
from .pooler import refuse_pooler
from .session_settings import NO_TIMEOUTS, configure_session, execute_aside, is_silent

T = TypeVar("T")

# A bigint key is shown in pg_locks as its high and low half
# (https://www.postgresql.org/docs/current/view-pg-locks.html).
_IN_PG_LOCKS = """
    locktype = 'advisory' AND objsubid = 1 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((classid::bigint << 32) | objid::bigint) = :key
"""
_TRY = text("SELECT pg_try_advisory_lock(:key)")
_IS_HELD = text(f"SELECT count(*) FROM pg_locks WHERE pid = :pid AND {_IN_PG_LOCKS}")  # noqa: S608 - all parts are constants of this file
_HOLDER = text(
    "SELECT a.pid, a.application_name, coalesce(host(a.client_addr), '')"  # noqa: S608 - as above
    ", a.backend_start"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    f" WHERE {_IN_PG_LOCKS} LIMIT 1"
)

_JOINED = "migrate_joined"
# Once the server has confirmed the lock, it counts as held for so many seconds if the connection
# stays silent. Asking for each revision would cost a round trip, which takes longer the more locks
# a single transaction collects.
_TRUSTED = 1.0
#: After so many seconds of waiting for the lock, a run closes its connection between two tries.
_KEPT = 1.0
#: How many seconds the server has to answer a question about the lock.
_SILENCE = 30.0


@contextmanager
def advisory_lock(
    context: RunContext, url: URL, notice: Callable[[str], None]
) -> Iterator["HeldAdvisoryLock"]:
    """Hold the lock of `config`'s version table at `url`. Raises what `writer_lock` raises."""
    settings = context.settings
    engine = make_own_engine(lock_url(settings, url))
    silence = Silence(_SILENCE)

    def connected(dbapi_connection: Any, record: Any) -> None:
        context.canceller.add(dbapi_connection)
        silence.add(dbapi_connection)

    def connect() -> Connection:
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise failed(error, settings) from error
        configure_session(connection, {**NO_TIMEOUTS, "application_name": context.application})
        return connection

    event.listen(engine, "connect", connected)
    try:
        with (
            silence.bounded(),
            until_up(context, connect) as first,
            closing(HeldAdvisoryLock(engine, first, settings)) as lock,
        ):
            lock.acquire(connect, settings.options.lock_wait, notice)
            try:
                yield lock
            finally:
                lock.leave()
    except DBAPIError as error:
        if silence.is_over:
            raise silence.error() from error
        raise failed(error, settings) from error
    finally:
        engine.dispose()


class HeldAdvisoryLock(Lock):
    """The advisory lock, and the connection that holds it."""

    def __init__(self, engine: Engine, connection: Connection, settings: Settings) -> None:
        self.engine = engine
        self._adopt(connection)
        self._is_pooled = bool(settings.options.lock_url)
        refuse_pooler(engine, connection, is_lock_url=self._is_pooled)
        self._writer, self._running = keys(connection, settings)
        self._is_verified = False
        self._trusted_until = 0.0
        self._joined: list[tuple[dict[Any, Any], Any]] = []

    def _adopt(self, connection: Connection) -> None:
        self._connection = connection
        # Kept here, as SQLAlchemy may connect anew, and the new connection has no lock.
        self._dbapi_connection = connection.connection.dbapi_connection
        self._pid = connection.scalar(text("SELECT pg_backend_pid()"))

    def close(self) -> None:
        """Free the lock with its connection."""
        self._connection.close()

    def acquire(
        self, connect: Callable[[], Connection], wait: float, notice: Callable[[str], None]
    ) -> None:
        """Wait for the lock, and for the last statement of a run that was killed.

        After a while the connection is closed between two tries, and `connect` opens another. The
        run that holds the lock may need that connection, if the server has few.
        """
        has_lock = False
        known: Holder | None = None
        begin = time.monotonic()

        def attempt() -> bool:
            nonlocal has_lock
            if self._connection.closed:
                try:
                    with asked_once():
                        self._adopt(connect())
                except DatabaseUnreachable as error:
                    if not error.retryable:
                        raise
                    return False
            has_lock = has_lock or bool(self._connection.scalar(_TRY, {"key": self._writer}))
            # A killed run loses its lock at once, but its last statement ends a moment later.
            return has_lock and self._holder(self._running) is None

        def holder() -> Holder | None:
            nonlocal known
            if not self._connection.closed:
                known = self._holder(self._running if has_lock else self._writer)
                if not has_lock and time.monotonic() - begin > _KEPT:
                    self._connection.close()
            return known

        wait_for(attempt, holder, wait, notice)

    def require_held(self) -> None:
        """Raise LockLost when the connection, or the lock on it, is gone."""
        if time.monotonic() < self._trusted_until and is_silent(self._dbapi_connection):
            return
        self._trusted_until = time.monotonic() + _TRUSTED
        try:
            held = self._connection.scalar(_IS_HELD, {"key": self._writer, "pid": self._pid})
        except SQLAlchemyError:
            held = 0
        if not held:
            raise LockLost(
                "The connection that held the lock is lost, so another run may have started;"
                " this one stopped before its next revision.",
                hint="run the command again.",
            )

    def join(self, connection: Connection) -> int | None:
        """Take the shared lock of a running statement, for as long as its session lasts.

        Through a pooler, `join_transaction` takes it instead, as there is no session of our own.
        Here it is then checked that both URLs lead to the same database.
        """
        if not self._is_pooled:
            if _JOINED not in connection.info:
                statement = f"SELECT pg_backend_pid(), pg_advisory_lock_shared({self._running})"
                connection.info[_JOINED] = execute_aside(connection, statement)
                self._joined.append((connection.info, connection.connection.dbapi_connection))
            return int(connection.info[_JOINED])
        bound = _IS_HELD.bindparams(key=self._writer, pid=self._pid)
        compiled = bound.compile(connection.engine, compile_kwargs={"literal_binds": True})
        if not self._is_verified and not execute_aside(connection, str(compiled)):
            raise SettingsError(
                "`migrate.lock_url` leads to another database than `sqlalchemy.url`, so its lock"
                " would keep no one out.",
                hint="let both name the same server and database.",
            )
        self._is_verified = True
        return None

    def leave(self) -> None:
        """Free the locks that `join` took, since `env.py` may keep the connections in a pool."""
        for info, dbapi_connection in self._joined:
            info.pop(_JOINED, None)
            with suppress(Exception), dbapi_connection.cursor() as cursor:  # it may be lost
                dbapi_connection.rollback()
                cursor.execute(f"SELECT pg_advisory_unlock_shared({self._running})")
                dbapi_connection.commit()

    def join_transaction(self, connection: Connection) -> int | None:
        """Take the shared lock of a running statement until the transaction ends."""
        if not self._is_pooled:
            return None
        statement = f"SELECT pg_backend_pid(), pg_advisory_xact_lock_shared({self._running})"
        return int(connection.exec_driver_sql(statement).scalar_one())

    def ask(self, question: Callable[[Connection], T]) -> T | None:
        """Ask on the lock's connection, a new one if that is lost."""
        try:
            if self._connection.invalidated:
                self._connection.rollback()  # it connects anew
            return question(self._connection)
        except SQLAlchemyError:
            return None

    def _holder(self, key: int) -> Holder | None:
        row = self._connection.execute(_HOLDER, {"key": key}).one_or_none()
        return Holder(*row) if row else None

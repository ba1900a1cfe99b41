"""PostgreSQL: a session advisory lock on the migration's own connection, where there is no other.

It has the same keys as the lock of a connection of its own, so the two keep each other out.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakSet

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..base.attempts import asked_once
from ..base.errors import LockLost, MigrateError
from ..bridge.context import RunContext
from ..database.engine import own_engine
from ..database.libpq import in_a_thread
from ..database.own_connection import OwnConnection
from .advisory import PID, SCHEMA, count_held, holder_of, keys, try_lock
from .holding import Holder, Lock, named_holder, told_as, wait_for
from .pooler import refuse_shared_session
from .session_settings import configure_session, execute_aside

T = TypeVar("T")

_HELD = "migrate_lock_held"
#: For so many seconds, the lock counts as held once the server has confirmed it.
_TRUSTED = 1.0
#: How long an answer beside the migration is waited for. A pooler may have no connection for it.
_SECONDS = 5.0


@contextmanager
def session_lock(
    context: RunContext, theirs: Engine, notice: Callable[[str], None]
) -> Iterator[Lock]:
    """Hold the lock on each connection on which Alembic runs, which the engine `theirs` opens.

    Raises what `writer_lock` raises.
    """
    lock = SessionLock(context, own_engine(theirs, context.canceller.add), notice)
    try:
        yield lock
    finally:
        lock.leave()


class SessionLock(Lock):
    """The lock on the session of the migration. It ends with that."""

    has_server = True

    def __init__(self, context: RunContext, engine: Engine, notice: Callable[[str], None]) -> None:
        self._settings = context.settings
        self._application = context.application
        self._own_engine = engine
        self._notice = notice
        # Weak references, so that the garbage collector can close what an `env.py` has left.
        self._connections: WeakSet[Connection] = WeakSet()
        self._engines: WeakSet[Engine] = WeakSet()
        self._trusted_until = 0.0

    def is_at(self, connection: Connection) -> bool:
        """Take the lock on `connection`, waiting for it. Raises LockNotObtained."""
        if connection.dialect.name != "postgresql":
            return False
        self._connections.add(connection)
        self._engines.add(connection.engine)
        if _HELD not in connection.info:
            self._acquire(connection)
        return True

    def require_held(self) -> None:
        """Raise LockLost when a revision has given the lock away, and another run has it now."""
        if time.monotonic() < self._trusted_until:
            return
        self._trusted_until = time.monotonic() + _TRUSTED
        if all(map(_is_held, self._open())):
            return
        raise LockLost(
            "A revision has freed the lock, and another run has it now; this one stopped before its"
            " next revision.",
            hint="leave `pg_advisory_unlock_all` and `DISCARD ALL` out of revisions; then run the"
            " command again.",
        )

    def note(self, revision: str | None) -> None:
        """Name the session after the revision that runs: nobody else could while it does."""
        name = {"application_name": told_as(self._application, revision)}
        for connection in self._open():
            with suppress(DBAPIError):  # a lost connection is told of by the next statement
                configure_session(connection, name)

    def ask(self, question: Callable[[Connection], T]) -> T | None:
        """Ask on a new connection. None while the migration's is open: there may be no other."""
        if self._open():
            return None
        self._empty_pools()

        def asked() -> T:
            with asked_once(), closing(OwnConnection(self._own_engine)) as own:
                return own.ask(question)

        with suppress(TimeoutError, SQLAlchemyError, MigrateError):
            return in_a_thread(asked, _SECONDS)
        return None

    def leave(self) -> None:
        """Free the lock, since `env.py` may keep its connections."""
        for connection in self._open():
            _, writer = connection.info.pop(_HELD)
            with suppress(Exception):  # it may be lost
                execute_aside(connection, f"SELECT pg_advisory_unlock({writer})")
        self._empty_pools()

    def _open(self) -> list[Connection]:
        is_open = [each for each in self._connections if not (each.closed or each.invalidated)]
        return [each for each in is_open if _HELD in each.info]

    def _empty_pools(self) -> None:
        """Close what waits in a pool of `env.py`: it has the lock, and may be all there is."""
        for engine in self._engines:
            if not engine.dialect.is_async:
                engine.dispose()

    def _acquire(self, connection: Connection) -> None:
        refuse_shared_session(self._own_engine, connection)
        schema, pid = _asked(connection, SCHEMA), _asked(connection, PID)
        writer, running = keys(schema, self._settings)
        has_lock = False

        def attempt() -> bool:
            nonlocal has_lock
            has_lock = has_lock or bool(_asked(connection, try_lock(writer)))
            # A killed run loses its lock at once, but its last statement ends a moment later.
            return has_lock and _holder(connection, running) is None

        def holder() -> Holder | None:
            return _holder(connection, running if has_lock else writer)

        wait_for(attempt, holder, self._settings.options.lock_wait, self._notice)
        connection.info[_HELD] = pid, writer
        self._trusted_until = time.monotonic() + _TRUSTED


def _is_held(connection: Connection) -> bool:
    """Tell whether the lock is held, or was free and is held again."""
    pid, writer = connection.info[_HELD]
    is_held = _asked(connection, count_held(writer, pid))
    return bool(is_held or _asked(connection, try_lock(writer)))


def _asked(connection: Connection, statement: str) -> Any:
    (answer,) = execute_aside(connection, statement)
    return answer


def _holder(connection: Connection, key: int) -> Holder | None:
    row = execute_aside(connection, holder_of(key))
    return named_holder(*row, is_of_server=True) if row else None

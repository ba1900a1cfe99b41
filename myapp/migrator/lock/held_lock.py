"""PostgreSQL's advisory lock while a run holds it: waited for, kept alive, and taken again.

The wait is a loop of `pg_try_advisory_lock`. A session that blocks in `pg_advisory_lock` holds a
snapshot, and CREATE INDEX CONCURRENTLY in the other run would wait for it for ever.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from ..base.attempts import asked_once, attempts
from ..base.errors import DatabaseUnreachable, LockLost, MigrateError
from ..bridge.context import RunContext
from ..database.own_connection import OwnConnection
from .advisory import SCHEMA, asked_holder, count_held, keys, try_lock
from .holding import Holder, Lock, TellingName, wait_for
from .place import elsewhere
from .pooler import pid_of
from .session_settings import configure_session, execute_aside, is_silent

T = TypeVar("T")

_JOINED = "migrate_joined"
# Once the server has confirmed the lock, it counts as held for so many seconds if the connection
# stays silent. Asking for each revision would cost a round trip, which takes longer the more locks
# a single transaction collects.
_TRUSTED = 1.0
#: After so many seconds of waiting for the lock, a run closes its connection between two tries.
_KEPT = 1.0
#: How often the lock is asked for while a revision runs, in seconds. Proxies and load balancers cut
#: a connection on which nothing passes, mostly after 1 to 10 minutes, and TCP's keepalives don't
#: count for them. A question takes the server a tenth of a millisecond.
_SIGN_OF_LIFE = 2.0
#: A revision that has run for so many seconds is told to who looks at the session of the lock.
_TOLD = 0.5
#: How many seconds the server has to end the session of a lost connection.
_ENDING = 2.0


class HeldLock(Lock):
    """The advisory lock, and the connection that holds it."""

    has_server = True

    def __init__(
        self,
        context: RunContext,
        engine: Engine,
        connect: Callable[[], OwnConnection],
        first: OwnConnection,
    ) -> None:
        settings = context.settings
        self.engine = engine
        self._settings = settings
        self._application = context.application
        self._connect = connect
        self._mutex = threading.Lock()
        self._ended = threading.Event()
        self._trusted_until = 0.0
        self._joined: list[tuple[dict[Any, Any], Any]] = []
        # Sessions of the run that have joined it while it held the lock.
        self._guards: set[int] = set()
        self._is_pooled = bool(settings.options.lock_url)
        self._adopt(first)
        self._name = TellingName(context.application)
        self._writer, self._running = keys(self._asked(SCHEMA), settings)

    def _adopt(self, connection: OwnConnection) -> None:
        self._connection = connection
        self._pid = pid_of(connection)

    @property
    def pid(self) -> int:
        """The server process that holds the lock."""
        return self._pid

    def close(self) -> None:
        """Free the lock with its connection."""
        self._ended.set()
        with self._mutex:
            self._connection.close()

    def acquire(
        self, wait: float, notice: Callable[[str], None], own: Collection[int] = ()
    ) -> None:
        """Wait for the lock, and for the last statement of a run that was killed.

        `own` are the server processes of this run. They can't be waited for.

        After a while the connection is closed between two tries, and another is opened. The run
        that holds the lock may need that connection, if the server has few.
        """
        has_lock = False
        known: Holder | None = None
        begin = time.monotonic()

        def attempt() -> bool:
            nonlocal has_lock
            if self._connection.is_closed:
                try:
                    with asked_once():
                        self._adopt(self._connect())
                except DatabaseUnreachable as error:
                    if not error.retryable:
                        raise
                    return False
            has_lock = has_lock or bool(self._asked(try_lock(self._writer)))
            # A killed run loses its lock at once, but its last statement ends a moment later.
            return has_lock and self._holder(self._running, own) is None

        def holder() -> Holder | None:
            nonlocal known
            if not self._connection.is_closed:
                known = self._holder(self._running, own) if has_lock else self._holder(self._writer)
                if known and known.pid in own:
                    raise elsewhere(self._settings)
                if not has_lock and time.monotonic() - begin > _KEPT:
                    self._connection.close()
            return known

        wait_for(attempt, holder, wait, notice)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Ask for the lock now and then, within, so that nothing cuts its connection as idle."""

        def keep() -> None:
            renewed = time.monotonic()
            while not self._ended.wait(min(_TOLD, _SIGN_OF_LIFE)):
                self._tell()
                if time.monotonic() - renewed >= _SIGN_OF_LIFE:
                    renewed = time.monotonic()
                    self._renew()

        thread = threading.Thread(target=keep, name="lock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()

    def note(self, revision: str | None) -> None:
        """Take note of the revision that runs. A thread tells it, if it takes long."""
        self._name.revision = revision

    def _tell(self) -> None:
        if name := self._name.to_be_told():
            with self._mutex, suppress(SQLAlchemyError):
                values = {"application_name": name}
                self._connection.ask(lambda asked: configure_session(asked, values))

    def require_held(self) -> None:
        """Raise LockLost when the lock is gone, and can't be taken again."""
        if time.monotonic() < self._trusted_until and is_silent(self._connection.dbapi_connection):
            return
        if not self._renew():
            taken = self.ask(lambda asked: asked_holder(asked, self._writer))
            what = (
                f"and another run has it now: {taken}"
                if taken
                else "so another run may have started"
            )
            raise LockLost(
                f"The connection that held the lock is lost, {what}; this one stopped before its"
                " next revision.",
                hint="run the command again.",
            )

    def join(self, connection: Connection) -> int | None:
        """Take the shared lock of a running statement, for as long as its session lasts.

        Through a pooler, `join_transaction` takes it instead, as there is no session of our own.
        """
        if self._is_pooled or connection.dialect.name != "postgresql":
            return None
        info, key = connection.info, (_JOINED, self._running)
        if key not in info:
            statement = f"SELECT pg_backend_pid(), pg_advisory_lock_shared({self._running})"
            (info[key], _) = execute_aside(connection, statement)
            self._joined.append((info, connection.connection.dbapi_connection))
        return int(info[key])

    def leave(self) -> None:
        """Free the locks that `join` took, since `env.py` may keep the connections in a pool."""
        for info, dbapi_connection in self._joined:
            info.pop((_JOINED, self._running), None)
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

    def is_at(self, connection: Connection) -> bool:
        """Tell whether the lock is in the database of `connection`, which sees it then."""
        if connection.dialect.name != "postgresql":
            return False
        guard = self.join(connection)
        if not self._is_seen_by(connection):
            self.require_held()  # it may have been lost, and taken again
            if not self._is_seen_by(connection):
                return False
        if guard is not None:
            self._guards.add(guard)
        return True

    def ask(self, question: Callable[[Connection], T]) -> T | None:
        """Ask on the lock's connection, on a new one if that is lost."""
        with suppress(SQLAlchemyError):
            return self._connection.ask(question)
        with suppress(SQLAlchemyError, MigrateError), closing(self._connect()) as another:
            return another.ask(question)
        return None

    def _renew(self) -> bool:
        """Tell whether the lock is held. Where it was lost, take it again if that is safe."""
        with self._mutex:
            self._trusted_until = time.monotonic() + _TRUSTED
            with suppress(SQLAlchemyError):
                if self._asked(count_held(self._writer, self._pid)):
                    return True
            if self._ended.is_set() or not self._guards:
                return False
            try:
                return self._take_again()
            except (SQLAlchemyError, MigrateError):
                return False

    def _take_again(self) -> bool:
        """Take the lost lock on a new connection."""
        another, lost = self._connect(), self._connection
        if not another.ask(self._is_to_be_had):
            another.close()
            return False
        self._adopt(another)
        self._name = TellingName(self._application)
        with suppress(SQLAlchemyError):
            lost.close()
        return True

    def _is_to_be_had(self, connection: Connection) -> bool:
        """Take the lock that was lost, if no other run can have begun meanwhile.

        A session of the run holds its shared lock since before the loss. It keeps the others out.
        """
        guarded = connection.exec_driver_sql(count_held(self._running, *self._guards))
        if not guarded.scalar():
            return False
        for _ in attempts(_ENDING):
            if connection.exec_driver_sql(try_lock(self._writer)).scalar():
                return True
            holder = asked_holder(connection, self._writer)
            if holder and not (holder.pid == self._pid and holder.is_run(self._application)):
                return False
            # The server may not have noticed yet that the old connection is gone.
            connection.exec_driver_sql(f"SELECT pg_terminate_backend({self._pid})")
        return False

    def _is_seen_by(self, connection: Connection) -> bool:
        row = execute_aside(connection, count_held(self._writer, self._pid))
        return bool(row and row[0])

    def _asked(self, statement: str) -> Any:
        return self._connection.ask(lambda asked: asked.exec_driver_sql(statement).scalar())

    def _holder(self, key: int, own: Collection[int] = ()) -> Holder | None:
        return self._connection.ask(lambda asked: asked_holder(asked, key, own))

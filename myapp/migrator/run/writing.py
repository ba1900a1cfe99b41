"""The frame of every command that changes the database: lock, engine and session settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection

from ..base.canceller import Canceller
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.opening import opened
from ..database.listening import listening
from ..database.sqlite import foreign_keys_checked_at_commit
from ..lock import Lock, writer_lock
from ..lock.session_settings import (
    LIVENESS,
    UNLIMITED,
    configure_session,
    milliseconds,
    set_statement,
)
from ..settings.settings import Settings
from .lock_waits import LockWaits, forget_lifted
from .observer import Observer
from .session_state import restore_left


@contextmanager
def writing(
    context: RunContext, lock_timeout: float | None = None
) -> Iterator[tuple[Lock, Observer]]:
    """Hold the lock within, and set up every connection, also those that `env.py` opens.

    A statement waits `lock_timeout` seconds for a lock, or as long as the settings say.
    """
    settings = context.settings
    if lock_timeout is None:
        lock_timeout = settings.options.lock_timeout
    with (
        opened(context),
        shared_engine(context),
        writer_lock(context, context.watcher.notice) as lock,
    ):
        observer = Observer(lock, lock_timeout)
        timeout = milliseconds(lock_timeout)
        setup = _Setup(settings, timeout, lock, observer, context.application, context.canceller)
        with (
            observer.watching(),
            listening(engine_connect=setup.connected, begin=setup.begun),
            _waiting(timeout, is_short=not settings.options.has_own_lock_timeout),
            foreign_keys_checked_at_commit(),
        ):
            yield lock, observer


@contextmanager
def _waiting(lock_timeout: str, *, is_short: bool) -> Iterator[None]:
    """Let statements that keep nobody waiting wait for longer, if the timeout is our short one."""
    if not is_short:
        yield
        return
    waits = LockWaits(lock_timeout)
    with listening(
        before_cursor_execute=waits.executing,
        after_cursor_execute=waits.executed,
        rollback=waits.rolled_back,
        rollback_savepoint=waits.rolled_back,
    ):
        yield


class _Setup:
    def __init__(
        self,
        settings: Settings,
        lock_timeout: str,
        lock: Lock,
        observer: Observer,
        application: str,
        canceller: Canceller,
    ) -> None:
        self._lock = lock
        self._observer = observer
        self._canceller = canceller
        self._application = application
        self._is_pooled = bool(settings.options.lock_url)
        self._timeouts = {
            **UNLIMITED,
            "lock_timeout": lock_timeout,
            "statement_timeout": milliseconds(settings.options.statement_timeout),
        }

    def connected(self, connection: Connection) -> None:
        self._canceller.add(connection.connection.dbapi_connection)
        if connection.dialect.name != "postgresql":
            return
        restore_left(connection)
        if not self._is_pooled:
            values = {"application_name": self._application, **LIVENESS, **self._timeouts}
            configure_session(connection, values)
            forget_lifted(connection)
        self._observer.follow(self._lock.join(connection))

    def begun(self, connection: Connection) -> None:
        """Set the timeouts for one transaction, if the session is shared with others."""
        autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        if self._is_pooled and not autocommit and connection.dialect.name == "postgresql":
            values = {**LIVENESS, **self._timeouts}
            connection.exec_driver_sql(set_statement(values, is_local=True))
            self._observer.follow(self._lock.join_transaction(connection))

"""Open PostgreSQL connections of any engine: with a time limit, a wait, and known to signals."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from ..base.attempts import TimeLeft, attempts, is_waited_for
from ..base.errors import MigrateError
from ..database.connecting import FOR_EVER, LIBPQ_DRIVERS, connect_in_a_thread, open_in_time
from ..database.failures import database_failed, is_full
from ..database.libpq import parameters
from ..database.listening import listeners_after, listening
from .context import RunContext
from .readiness import until_up

#: How many seconds a server has to end a session that has been closed.
_ENDING = 1.0


@contextmanager
def opened(context: RunContext, time_left: TimeLeft = FOR_EVER) -> Iterator[None]:
    """Open all PostgreSQL connections within in the same way, and within `time_left`.

    If the server is not up, or has no connection free, wait up to `migrate.wait_db` seconds.
    """

    def connect(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> Any:
        if dialect.name != "postgresql":
            return None
        if dialect.driver not in LIBPQ_DRIVERS:
            return None
        if dialect.is_async:  # psycopg's; it must connect in its own event loop
            cparams.update(parameters(cparams))
            return None

        def attempt() -> Any:
            arguments, given = list(cargs), dict(cparams)
            # An env.py's own listener may give each try a fresh password, or connect by itself.
            for listener in listeners_after(dialect, connect):
                if listener is connect_in_a_thread:
                    continue
                if (made := listener(dialect, record, arguments, given)) is not None:
                    break
            else:
                made = open_in_time(dialect, arguments, given, time_left)
            context.canceller.add(made)
            return made

        def in_turn() -> Any:
            # Where there is only one connection, the server may not have ended the one before.
            for is_last in attempts(_ENDING if context.settings.options.has_session_lock else 0.0):
                try:
                    return attempt()
                except dialect.loaded_dbapi.Error as error:
                    if is_last or not is_full(error):
                        raise
            raise AssertionError("attempts() ends with a last one")

        return in_turn() if is_waited_for() else _wait_for(context, dialect, in_turn)

    with listening(do_connect=connect):
        yield


def _wait_for(context: RunContext, dialect: Dialect, attempt: Any) -> Any:
    def ask() -> Any:
        try:
            return attempt()
        except dialect.loaded_dbapi.Error as error:
            raise database_failed(DBAPIError("", None, error)) from error

    try:
        return until_up(context, ask)
    except MigrateError as error:
        raise error.__cause__ or error from None  # SQLAlchemy expects an error of the driver

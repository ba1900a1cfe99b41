"""Open PostgreSQL connections of any engine: with a time limit, a wait, and known to signals."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from ..base.attempts import TimeLeft, is_waited_for
from ..base.errors import MigrateError
from ..database.connecting import FOR_EVER, LIBPQ_DRIVERS, open_in_time
from ..database.failures import database_failed
from ..database.libpq import parameters
from ..database.listening import listening
from .context import RunContext
from .readiness import until_up

_ASYNCHRONOUS = ("psycopg_async",)


@contextmanager
def opened(context: RunContext, time_left: TimeLeft = FOR_EVER) -> Iterator[None]:
    """Open all PostgreSQL connections within in the same way, and within `time_left`.

    If the server is not up, or has no connection free, wait up to `migrate.wait_db` seconds.
    """

    def connect(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> Any:
        if dialect.name != "postgresql":
            return None
        if dialect.driver in _ASYNCHRONOUS:
            cparams.update(parameters(cparams))
        if dialect.driver not in LIBPQ_DRIVERS:
            return None

        def attempt() -> Any:
            connection = open_in_time(dialect, cargs, cparams, time_left)
            context.canceller.add(connection)
            return connection

        return attempt() if is_waited_for() else _wait_for(context, dialect, attempt)

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

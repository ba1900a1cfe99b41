"""How a connection is opened, whoever's engine it is for: in time, waited for, known to signals."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from alembic.config import Config
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from .config import canceller_of
from .errors import MigrateError
from .failures import database_failed
from .libpq import in_a_thread, parameters
from .listening import listening
from .patience import TimeLeft, is_waited_for, until_up

_DRIVERS = ("psycopg2", "psycopg")
_ASYNCHRONOUS = ("psycopg_async",)
_LEAST = 0.05
_FOR_EVER = TimeLeft(None)


@contextmanager
def opened(config: Config, time_left: TimeLeft = _FOR_EVER) -> Iterator[None]:
    """Open all PostgreSQL connections within in the same way, and in the `time_left`.

    A server that is not up, or has no connection free, is waited for, `migrate.wait_db` seconds.
    """

    def connect(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> Any:
        if dialect.name != "postgresql":
            return None
        if dialect.driver in _ASYNCHRONOUS:
            cparams.update(parameters(cparams))
        if dialect.driver not in _DRIVERS:
            return None

        def attempt() -> Any:
            connection = open_in_time(dialect, cargs, cparams, time_left)
            canceller_of(config).watch(connection)
            return connection

        return attempt() if is_waited_for() else _wait_for(config, dialect, attempt)

    with listening(do_connect=connect):
        yield


def _wait_for(config: Config, dialect: Dialect, attempt: Any) -> Any:
    def ask() -> Any:
        try:
            return attempt()
        except dialect.loaded_dbapi.Error as error:
            raise database_failed(DBAPIError("", None, error)) from error

    try:
        return until_up(config, ask)
    except MigrateError as error:
        raise error.__cause__ or error from None  # SQLAlchemy takes a driver's error only


def connect_in_a_thread(
    dialect: Dialect,
    record: Any,
    cargs: Any,
    cparams: Any,
    *,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Any:
    """Let a signal end the wait for a server that doesn't answer: libpq waits in C."""

    def connect() -> Any:
        with around():
            return dialect.connect(*cargs, **given)

    given = parameters(cparams) if dialect.driver in _DRIVERS else cparams
    return in_a_thread(connect)


def open_in_time(dialect: Dialect, cargs: Any, cparams: Any, time_left: TimeLeft) -> Any:
    """Connect in the `time_left`; raises the driver's error."""
    seconds = time_left.left(_LEAST)
    given = parameters(cparams)
    try:
        return in_a_thread(lambda: dialect.connect(*cargs, **given), seconds)
    except TimeoutError:
        raise dialect.loaded_dbapi.OperationalError(
            f"timeout expired: no connection within {time_left.seconds:.3g} s"
        ) from None

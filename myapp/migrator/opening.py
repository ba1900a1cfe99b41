"""How a connection is opened, whoever's engine it is for: in time, waited for, known to signals."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from weakref import WeakSet

from alembic.config import Config
from sqlalchemy import Engine
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from .config import canceller_of
from .errors import MigrateError
from .evidence.our_own import connecting_for_ourselves
from .failures import database_failed
from .libpq import in_a_thread, parameters
from .listening import listening
from .patience import TimeLeft, is_waited_for, until_up

_DRIVERS = ("psycopg2", "psycopg")
_ASYNCHRONOUS = ("psycopg_async",)
_LEAST = 0.05
_FOR_EVER = TimeLeft(None)
_our_own: "WeakSet[Dialect]" = WeakSet()


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


def connect_in_a_thread(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> Any:
    """Let a signal end the wait for a server that doesn't answer: libpq waits in C."""
    if dialect.driver not in _DRIVERS:
        return in_a_thread(lambda: dialect.connect(*cargs, **cparams))
    return open_in_time(dialect, cargs, cparams, _FOR_EVER)


def for_ourselves(engine: Engine) -> None:
    """Let what `engine` opens count as none of a revision's connections."""
    _our_own.add(engine.dialect)


def open_in_time(dialect: Dialect, cargs: Any, cparams: Any, time_left: TimeLeft) -> Any:
    """Connect in the `time_left`; raises the driver's error."""
    seconds = time_left.left(_LEAST)
    given = parameters(cparams)

    def connect() -> Any:
        with connecting_for_ourselves() if dialect in _our_own else nullcontext():
            return dialect.connect(*cargs, **given)

    try:
        return in_a_thread(connect, seconds)
    except TimeoutError:
        raise dialect.loaded_dbapi.OperationalError(
            f"timeout expired: no connection within {time_left.seconds:.3g} s"
        ) from None

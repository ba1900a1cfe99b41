"""One connection to a PostgreSQL server, opened in time and in a thread."""

from contextlib import nullcontext
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine
from sqlalchemy.engine import Dialect

from ..base.attempts import TimeLeft
from ..base.our_own import connecting_for_ourselves
from .libpq import in_a_thread, parameters

#: The drivers of SQLAlchemy that libpq connects for, and that take its parameters.
LIBPQ_DRIVERS = ("psycopg2", "psycopg")
FOR_EVER = TimeLeft(None)
_LEAST = 0.05
_our_own: "WeakSet[Dialect]" = WeakSet()


def connect_in_a_thread(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> Any:
    """Let a signal end the wait for a server that doesn't answer: libpq waits in C."""
    if dialect.driver not in LIBPQ_DRIVERS:
        return in_a_thread(lambda: dialect.connect(*cargs, **cparams))
    return open_in_time(dialect, cargs, cparams, FOR_EVER)


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

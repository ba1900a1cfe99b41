"""Open a connection to a PostgreSQL server in a thread, within a time."""

from contextlib import nullcontext
from typing import Any

from sqlalchemy.engine import Dialect

from ..base.attempts import TimeLeft
from ..base.our_own import connecting_for_ourselves, is_our_own
from .libpq import in_a_thread, parameters
from .refusal import decoded, note_refusal

#: SQLAlchemy's drivers that use libpq and take its parameters.
LIBPQ_DRIVERS = ("psycopg2", "psycopg")
FOR_EVER = TimeLeft(None)
_LEAST = 0.05


def connect_in_a_thread(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> Any:
    """Connect in a thread so that Ctrl-C works.

    libpq blocks in C, where Python handles no signals.
    """
    if dialect.driver not in LIBPQ_DRIVERS:
        return in_a_thread(lambda: dialect.connect(*cargs, **cparams))
    return open_in_time(dialect, cargs, cparams, FOR_EVER)


def open_in_time(dialect: Dialect, cargs: Any, cparams: Any, time_left: TimeLeft) -> Any:
    """Connect within `time_left`.

    Raises the driver's error, about which `refusal_of` knows more.
    """
    seconds = time_left.left(_LEAST)
    given = parameters(cparams)
    driver = dialect.loaded_dbapi
    is_ours = is_our_own()  # of this thread

    def connect() -> Any:
        try:
            with connecting_for_ourselves() if is_ours else nullcontext():
                return dialect.connect(*cargs, **given)
        except UnicodeDecodeError as undecoded:
            error = driver.OperationalError(decoded(undecoded))
            note_refusal(error, given)
            raise error from None
        except driver.Error as error:
            note_refusal(error, given)
            raise

    try:
        return in_a_thread(connect, seconds)
    except TimeoutError:
        late = f"timeout expired: no connection within {time_left.seconds:.3g} s"
        error = driver.OperationalError(late)
        note_refusal(error, given)
        raise error from None

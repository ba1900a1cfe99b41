"""What is taken from SQLAlchemy and the drivers beyond their documentation."""

import ctypes
import logging
import sqlite3
from contextlib import closing
from typing import Any

import psycopg2
import psycopg2.extensions as libpq
import pytest
from sqlalchemy import Engine, Pool, column, create_engine, event, select, table
from sqlalchemy.exc import StatementError
from support.sessions import session

from myapp.migrator.base import stopping
from myapp.migrator.database.listening import listeners_after, listening
from myapp.migrator.database.refusal import is_answer
from myapp.migrator.run.other_connections import Others
from myapp.migrator.run.witness import _LIBPQ, Status
from myapp.migrator.settings.redaction import _CUT

URL = "postgresql+psycopg2://user:word@host/name"


def test_the_states_of_a_transaction_have_libpqs_numbers() -> None:
    assert stopping._ACTIVE == libpq.TRANSACTION_STATUS_ACTIVE
    assert _LIBPQ == {
        libpq.TRANSACTION_STATUS_IDLE: Status.IDLE,
        libpq.TRANSACTION_STATUS_ACTIVE: Status.OPEN,
        libpq.TRANSACTION_STATUS_INTRANS: Status.OPEN,
        libpq.TRANSACTION_STATUS_INERROR: Status.FAILED,
        libpq.TRANSACTION_STATUS_UNKNOWN: Status.LOST,
    }


def test_a_connection_of_psycopg2_has_what_is_asked_of_it(postgresql_url: str) -> None:
    with session(postgresql_url, "SELECT 1") as connection:
        assert connection.info.transaction_status == libpq.TRANSACTION_STATUS_INTRANS
        assert connection.info.backend_pid == connection.get_backend_pid()
        known = (connection.info.dbname, connection.info.user)
        assert f"/{known[0]}?" in postgresql_url
        assert f"//{known[1]}:" in postgresql_url
        assert connection.info.parameter_status("application_name") == "shop"
        assert (callable(connection.cancel), connection.closed) == (True, 0)
        assert connection.fileno() > 2
        cursor = connection.cursor()
        cursor.execute("ROLLBACK")
        assert cursor.statusmessage == "ROLLBACK"


def test_libpq_can_be_called_through_psycopg2(postgresql_url: str) -> None:
    libpq_ = ctypes.PyDLL(psycopg2._psycopg.__file__)
    libpq_.PQserverVersion.argtypes = [ctypes.c_void_p]
    assert callable(libpq_.PQsetErrorVerbosity)
    with session(postgresql_url) as connection:
        assert libpq_.PQserverVersion(connection.pgconn_ptr) == connection.server_version


def test_libpq_has_no_code_for_a_refused_connection(postgresql_url: str) -> None:
    with pytest.raises(psycopg2.OperationalError) as raised:
        psycopg2.connect(postgresql_url, user="nobody-here")
    assert (raised.value.pgcode, raised.value.diag.sqlstate) == (None, None)
    assert is_answer(str(raised.value))


def test_an_error_of_psycopg2_has_its_code_and_one_of_sqlite_its_name(postgresql_url: str) -> None:
    with session(postgresql_url) as connection:
        with pytest.raises(psycopg2.Error) as raised:
            connection.cursor().execute("SELECT * FROM nowhere")
        assert raised.value.pgcode == "42P01"
    with closing(sqlite3.connect(":memory:")) as memory:
        with pytest.raises(sqlite3.OperationalError) as failed:
            memory.execute("SELECT * FROM nowhere")
        assert failed.value.sqlite_errorname == "SQLITE_ERROR"
        assert memory.in_transaction is False


def test_the_events_that_are_listened_to_are_there() -> None:
    def ignore(*args: object) -> None: ...

    for name in (
        "do_connect",
        "engine_connect",
        "begin",
        "commit",
        "rollback",
        "rollback_savepoint",
        "before_execute",
        "after_execute",
        "before_cursor_execute",
        "after_cursor_execute",
        "set_connection_execution_options",
        "handle_error",
    ):
        event.listen(Engine, name, ignore)
        event.remove(Engine, name, ignore)
    for name in ("checkout", "checkin"):
        event.listen(Pool, name, ignore)
        event.remove(Pool, name, ignore)


def test_what_do_connect_returns_is_the_connection() -> None:
    engine = create_engine("sqlite://")
    own = sqlite3.connect(":memory:")
    event.listen(engine, "do_connect", lambda *_: own)
    with engine.connect() as connection:
        assert connection.connection.driver_connection is own
    engine.dispose()


def test_the_listeners_of_all_engines_are_called_before_an_engines_own() -> None:
    called: list[str] = []

    def every(dialect: Any, *_: object) -> None:
        assert [*listeners_after(dialect, every)] == [own]
        called.append("of all engines")

    def own(*_: object) -> None:
        called.append("its own")

    engine = create_engine("sqlite://")
    event.listen(engine, "do_connect", own)
    with listening(do_connect=every), engine.connect():
        pass
    engine.dispose()
    assert called == ["of all engines", "its own"]


def test_dialects_have_what_is_asked_of_them() -> None:
    dialect = create_engine(URL).dialect
    assert (dialect.name, dialect.driver, dialect.is_async) == ("postgresql", "psycopg2", False)
    assert dialect.loaded_dbapi is psycopg2


def test_sqlalchemy_cuts_a_long_parameter_with_these_words() -> None:
    long = select(column("a")).select_from(table("nowhere")).where(column("a") == "x" * 5000)
    with (
        create_engine("sqlite://").connect() as connection,
        pytest.raises(StatementError) as raised,
    ):
        connection.execute(long)
    cut = _CUT.search(str(raised.value))
    assert cut
    assert "characters truncated" in cut[0]


def test_sqlalchemy_logs_of_its_pools_under_this_name() -> None:
    name = create_engine("sqlite://").pool.logger.name  # type: ignore[attr-defined] # undocumented
    assert name.startswith("sqlalchemy.pool")
    assert isinstance(logging.getLogger(name), logging.Logger)


def test_the_functions_that_connect_can_be_replaced() -> None:
    with Others().listening():
        assert psycopg2.connect.__wrapped__  # type: ignore[attr-defined]
    assert not hasattr(psycopg2.connect, "__wrapped__")

"""What a signal leaves of a look at an SQLite file."""

import sqlite3
from typing import Any

import pytest
from sqlalchemy import create_engine

from myapp.migrator.database.transactions import row_of
from myapp.migrator.run.file_witness import FileWitness


class Interrupted(sqlite3.Cursor):
    """A cursor whose rows a signal comes before."""

    def fetchall(self) -> list[Any]:
        self.connection.interrupt()
        raise KeyboardInterrupt


class Interrupting(sqlite3.Connection):
    """A connection with such cursors."""

    def cursor(self, *_: Any) -> Any:
        return super().cursor(Interrupted)


def test_a_signal_stops_no_later_statement(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url, connect_args={"factory": Interrupting})
    with engine.connect() as connection:
        with pytest.raises(KeyboardInterrupt) as looking:
            FileWitness().begin(connection)
        with pytest.raises(KeyboardInterrupt) as asking:
            row_of(connection, "PRAGMA database_list")

        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()
    del looking, asking  # which have held the cursors until now

"""How much a dropped table or column takes away."""

import pytest
from sqlalchemy import create_engine
from support.database import change

from myapp.migrator.base.losses import Drop, Loss
from myapp.migrator.database import loss_counts
from myapp.migrator.database.loss_counts import counted
from myapp.migrator.database.url import engine_url

TABLE = Drop("table", "A b")
COLUMN = Drop("column", "A b", "x y")


@pytest.fixture
def table(database_url: str) -> str:
    """The URL of a database with a table of three rows, of which two have a value."""
    change(
        database_url,
        'CREATE TABLE "A b" (id INTEGER, "x y" INTEGER)',
        'INSERT INTO "A b" VALUES (1, NULL), (2, 5), (3, 5)',
    )
    return database_url


def test_rows_and_values_are_counted(table: str) -> None:
    with create_engine(engine_url(table)).connect() as connection:
        assert counted(connection, TABLE, "aaa1") == Loss(TABLE, "aaa1", 3)
        assert counted(connection, COLUMN) == Loss(COLUMN, "", 2)


def test_what_is_not_there_is_no_loss_and_leaves_the_transaction_as_it_was(table: str) -> None:
    with create_engine(engine_url(table)).connect() as connection:
        assert counted(connection, Drop("table", "nope")) is None
        assert counted(connection, Drop("column", "A b", "nope")) is None
        assert counted(connection, TABLE) == Loss(TABLE, "", 3)


def test_what_the_database_does_not_say_is_not_known(postgresql_url: str) -> None:
    change(postgresql_url, "CREATE VIEW broken AS SELECT 1 / 0 AS x")
    drop = Drop("table", "broken")
    with create_engine(engine_url(postgresql_url)).connect() as connection:
        assert counted(connection, drop) == Loss(drop, "")
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_many_rows_are_not_all_counted(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change(sqlite_url, "CREATE TABLE t (x INTEGER)", "INSERT INTO t VALUES (1), (2), (3)")
    monkeypatch.setattr(loss_counts, "_COUNTED", 1)
    drop = Drop("table", "t")
    with create_engine(engine_url(sqlite_url)).connect() as connection:
        assert counted(connection, drop) == Loss(drop, "", 1, "more")


def test_postgresql_is_asked_for_its_estimate(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(
        postgresql_url,
        "CREATE SCHEMA other",
        "CREATE TABLE other.t (x INTEGER)",
        "INSERT INTO other.t SELECT nullif(mod(n, 2), 0) FROM generate_series(1, 100) n",
        "ANALYZE other.t",
    )
    monkeypatch.setattr(loss_counts, "_COUNTED", 20)
    rows, values = Drop("table", "t", None, "other"), Drop("column", "t", "x", "other")
    with create_engine(engine_url(postgresql_url)).connect() as connection:
        assert counted(connection, rows) == Loss(rows, "", 100, "about")
        assert counted(connection, values) == Loss(values, "", 50, "about")

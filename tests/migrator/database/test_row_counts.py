"""How much a table or a column holds."""

import pytest
from sqlalchemy import create_engine
from support.database import change

from myapp.migrator.database import row_counts
from myapp.migrator.database.row_counts import RowCount, count_rows
from myapp.migrator.database.url import engine_url


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
        assert count_rows(connection, "A b") == RowCount(3)
        assert count_rows(connection, "A b", "x y") == RowCount(2)


def test_a_table_that_cannot_be_asked_leaves_the_transaction_as_it_was(table: str) -> None:
    with create_engine(engine_url(table)).connect() as connection:
        assert count_rows(connection, "nope") is None
        assert count_rows(connection, "A b") == RowCount(3)


def test_many_rows_are_not_all_counted(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_counts, "LIMIT", 1)

    with create_engine(engine_url(table)).connect() as connection:
        assert count_rows(connection, "A b", "x y") == RowCount(1, is_estimate=True)


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
    monkeypatch.setattr(row_counts, "LIMIT", 20)

    with create_engine(engine_url(postgresql_url)).connect() as connection:
        assert count_rows(connection, "t", schema="other") == RowCount(100, is_estimate=True)
        assert count_rows(connection, "t", "x", "other") == RowCount(50, is_estimate=True)

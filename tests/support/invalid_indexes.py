"""Indexes that a failed CREATE INDEX CONCURRENTLY has left invalid."""

from contextlib import closing

import psycopg2

from support import postgresql


def leave_invalid(url: str, name: str, table: str, column: str = "x") -> None:
    """Leave a unique index invalid on a table with two equal rows; names are written as in SQL."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        try:
            cursor.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({column})")
        except psycopg2.errors.UniqueViolation:
            return
    raise AssertionError(f"{name} could be built")


def two_alike(url: str, *tables: str) -> None:
    """Make tables with two equal rows."""
    for table in tables:
        postgresql.execute(url, f"CREATE TABLE {table} AS SELECT 1 AS x FROM generate_series(1, 2)")

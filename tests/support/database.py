"""What stands in a database, asked without the code under test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection


@contextmanager
def connection_to(url: str) -> Iterator[Connection]:
    """Connect to `url`, with psycopg2 where it names PostgreSQL."""
    engine = sa.create_engine(
        url.replace("postgresql://", "postgresql+psycopg2://", 1), poolclass=sa.NullPool
    )
    with engine.begin() as connection:
        yield connection


def tables(url: str) -> set[str]:
    """Return the names of all tables, the version table among them."""
    with connection_to(url) as connection:
        return set(sa.inspect(connection).get_table_names())


def heads(url: str, version_table: str = "alembic_version") -> set[str]:
    """Return the rows of the version table."""
    return {row[0] for row in rows(url, f"SELECT version_num FROM {version_table}")}


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return what a SELECT finds."""
    with connection_to(url) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def change(url: str, *statements: str) -> None:
    """Run statements in one transaction."""
    with connection_to(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)

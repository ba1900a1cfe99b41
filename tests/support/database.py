"""What stands in a database, asked without the code under test."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .postgresql import psql


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


def feed(url: str, script: str) -> None:
    """Give `script` to `psql` or `sqlite3`, as a person would, or to Python where that is missing.

    Raises RuntimeError when a statement fails.
    """
    if url.startswith("postgresql"):
        command = [psql(), url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    else:
        path = str(sa.make_url(url).database)
        program = shutil.which("sqlite3")
        if program is None:
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript(script)
            return
        command = [program, "-batch", "-bail", path]
    done = subprocess.run(command, input=script, capture_output=True, check=False, encoding="utf-8")
    if done.returncode or done.stderr:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stderr}")


def name_of(url: str) -> str:
    """Return how the command names the database of `url` in an answer."""
    parts = sa.make_url(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.database} on {parts.host}{port}" if parts.host else str(parts.database)

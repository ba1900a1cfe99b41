"""SQLite through an asynchronous engine of env.py, whose connection lives in an event loop."""

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from support.command import invoke
from support.database import heads, rows
from support.history import MakeApp, Revision
from support.processes import write_env

ENV_PY = """
import asyncio
import support
from alembic import context

def run(connection):
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    engine = support.engine()
    async with engine.connect() as connection:
        await connection.run_sync(run)
    {after}

asyncio.run(main())
"""
PARENT_AND_CHILD = """\
op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
op.execute("CREATE TABLE child (id int, parent_id int REFERENCES parent (id) ON DELETE CASCADE)")
op.execute("INSERT INTO parent VALUES (1)")
op.execute("INSERT INTO child VALUES (1, 1)")
"""
REBUILD = """\
with op.batch_alter_table("parent", recreate="always") as batch:
    batch.add_column(sa.Column("name", sa.Text))
"""


@pytest.fixture
def app(make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write an application whose env.py opens the file by aiosqlite and enforces foreign keys."""

    @cache
    def engine() -> AsyncEngine:
        engine = create_async_engine(sqlite_url.replace("sqlite:", "sqlite+aiosqlite:"))

        @event.listens_for(engine.sync_engine, "connect")
        def enforce(dbapi_connection: Any, record: Any) -> None:
            dbapi_connection.execute("PRAGMA foreign_keys = ON")

        return engine

    def write(*bodies: str, after: str = "await engine.dispose()") -> Path:
        revisions = [
            Revision(f"a{number}", f"a{number - 1}" if number else None, upgrade=body)
            for number, body in enumerate(bodies)
        ]
        ini = make_app(sqlite_url, revisions)
        write_env(ini, ENV_PY.format(after=after))
        return ini

    monkeypatch.setattr("support.engine", engine, raising=False)
    return write


def test_what_it_does_is_committed_and_told(app: Callable[..., Path], sqlite_url: str) -> None:
    ini = app(PARENT_AND_CHILD, REBUILD)
    for command in ("upgrade", "current", "ensure-version", "stamp a0"):
        result = invoke(ini, *command.split())
        assert result.returncode == 0, result.stderr
    assert rows(sqlite_url, "SELECT * FROM child") == [(1, 1)]
    assert heads(sqlite_url) == {"a0"}


def test_what_breaks_foreign_keys_is_rolled_back(app: Callable[..., Path], sqlite_url: str) -> None:
    result = invoke(app(PARENT_AND_CHILD, "op.execute('DELETE FROM parent')"), "upgrade")
    assert result.returncode == 1
    assert "it breaks foreign keys: child row 1 refers to no row of parent." in result.stderr
    assert heads(sqlite_url) == {"a0"}


def test_an_engine_that_is_kept_enforces_foreign_keys_again(app: Callable[..., Path]) -> None:
    import support

    assert invoke(app(PARENT_AND_CHILD, after="pass"), "upgrade").returncode == 0

    async def ask() -> object:
        engine: AsyncEngine = support.engine()  # type: ignore[attr-defined]
        async with engine.connect() as connection:
            answer = (await connection.execute(text("PRAGMA foreign_keys"))).scalar()
        await engine.dispose()
        return answer

    assert asyncio.run(ask()) == 1

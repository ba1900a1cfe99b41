"""Where the database stands, read through `env.py` without changing anything."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.engine import URL, Connection, Dialect
from sqlalchemy.exc import ArgumentError

from ..base.attempts import asked_once
from ..base.errors import DatabaseUnreachable, EnvPyFailed, MigrateError, SettingsError
from ..database.absence import can_be_made
from ..database.failures import BUSY_FILE, error_code
from ..database.listening import listening
from ..database.odd_rows import oddity
from ..database.url import engine_url, sqlite_file
from ..revisions.answers import union
from ..revisions.files import may_be_named_by
from .bounds import looking
from .context import RunContext
from .env_failures import told_as_errors
from .env_py import run_env
from .loading import ScriptHistory, load_history, settled
from .readiness import until_up

#: Seconds for a database that is not asked for its own sake.
GLANCE_SECONDS = 3.0


def look(context: RunContext, script: ScriptDirectory) -> list[tuple[str, ...]] | None:
    """Return what `read_each` returns, or None where that must wait for the lock.

    It waits no longer for another session than for another run.

    An SQLite file whose writer has more to write than its memory holds can't be read meanwhile.
    What is opened for it is closed again: a server may not grant the wait for the lock.
    """
    if context.rows is not None:
        return [context.rows]
    try:
        return read_each(context, script, lock_wait=context.settings.options.lock_wait)
    except DatabaseUnreachable as error:
        if error.__cause__ is None or error_code(error.__cause__) != BUSY_FILE:
            raise
        return None
    finally:
        if made := context.database.engine:
            made.dispose()


def read_heads(
    context: RunContext,
    script: ScriptDirectory,
    *,
    seconds: float | None = None,
    has_run: bool = False,
) -> tuple[str, ...]:
    """Return the revisions at which the database stands, creating nothing.

    `seconds` is how long that may take, whatever the settings say. With `has_run`, it is not told
    that nothing has run yet.

    Raises DatabaseUnreachable, SettingsError, or EnvPyFailed.
    """
    return union(read_each(context, script, seconds=seconds, has_run=has_run))


def read_each(
    context: RunContext,
    script: ScriptDirectory,
    *,
    seconds: float | None = None,
    lock_wait: float | None = None,
    has_run: bool = False,
) -> list[tuple[str, ...]]:
    """Return where each database stands that `env.py` opens: one, but for the template multidb.

    They are asked through `env.py`, which alone knows the connection and the version table. A
    database that is not up yet is waited for, `migrate.wait_db` seconds; within `seconds`, where
    they are given, or `lock_wait` for a lock, it has to answer.

    Raises what `read_heads` raises.
    """

    def ask() -> list[tuple[str, ...]]:
        return _ask_each(context, script, seconds, lock_wait, has_run)

    if seconds is not None:
        with asked_once():
            return ask()
    return until_up(context, ask)


def _ask_each(
    context: RunContext,
    script: ScriptDirectory,
    seconds: float | None,
    lock_wait: float | None,
    has_run: bool,
) -> list[tuple[str, ...]]:
    database = context.database
    found: list[tuple[str, ...]] = []

    def keep(rev: Any, migration_context: MigrationContext) -> list[Any]:
        found.append(_checked(rev, migration_context))
        return []

    def ask(environment: EnvironmentContext) -> None:
        # Alembic's own fails at some rows before it gives them to anyone.
        migration_context = environment.get_context()
        keep(migration_context.get_current_heads(), migration_context)

    seen: list[Connection] = []

    def opened(connection: Connection) -> None:
        database.url = database.url or connection.engine.url
        seen.append(connection)

    database.only_reads = True
    try:
        with (
            told_as_errors(has_run=has_run),
            listening(do_connect=_refuse_to_create, engine_connect=opened),
            looking(context, seconds=seconds, lock_wait=lock_wait),
        ):
            try:
                run_env(context, script, keep, ask, dont_mutate=True)
            except _NoFile as missing:
                database.url = database.url or missing.url
                found.append(())
            except (ArgumentError, KeyError):
                engine_url(context.settings.url)  # where env.py misses that, this tells
                raise
    finally:
        database.only_reads = False
        _close(seen, database.engine)
    if not found:
        raise EnvPyFailed(
            "env.py ended without running Alembic, so nothing is known of the database.",
            hint="let it call `context.configure()` and `context.run_migrations()`.",
            path=str(Path(script.dir, "env.py")),
        )
    return found


def history_of_files(context: RunContext) -> ScriptHistory:
    """Return the history for a command that asks no database.

    Where `env.py` may say which files count, it is run; whether it reaches a database is the same.

    Raises what `loading.load_history` raises.
    """
    history = load_history(context)
    if may_be_named_by(Path(history.script.dir, "env.py")):
        with suppress(MigrateError):
            read_heads(context, history.script, seconds=GLANCE_SECONDS)
    return settled(context, history)


def _close(connections: Iterable[Connection], own: Engine | None) -> None:
    """Close what an `env.py` has left open, and never uses again.

    In WAL mode, two files beside an SQLite database stay where nobody closes it. A PostgreSQL
    server may be short of connections.
    """
    for connection in connections:
        engine = connection.engine
        is_own = own is not None and engine.pool is own.pool
        if connection.dialect.is_async or is_own:
            continue
        if sqlite_file(engine.url):
            connection.close()
        if sqlite_file(engine.url) or engine.dialect.name == "postgresql":
            engine.dispose()


def _checked(rows: Sequence[Any], migration_context: MigrationContext) -> tuple[str, ...]:
    """Return the version table's `rows`; raises SettingsError when one is no revision's id."""
    if odd := oddity(rows):
        table = ".".join(
            filter(None, [migration_context.version_table_schema, migration_context.version_table])
        )
        raise SettingsError(
            f"The version table {table} holds {odd}, so where the database stands can't be told.",
            hint="mend its rows by hand; or is it a table of something else? Without"
            " `alembic.version_table`, the table is `alembic_version`.",
        )
    return tuple(rows)


class _NoFile(Exception):
    """An SQLite database that is yet to be made: connecting would make it."""

    def __init__(self, url: URL) -> None:
        self.url = url


def _refuse_to_create(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> None:
    if dialect.name == "sqlite" and cargs:
        url = URL.create("sqlite", database=str(cargs[0]))
        path = sqlite_file(url)
        if path is not None and can_be_made(path):
            raise _NoFile(url)

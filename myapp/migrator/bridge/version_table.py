"""Read the version table through `env.py`, without changing anything."""

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

#: How many seconds a database has to answer a command that can do without it.
GLANCE_SECONDS = 3.0


def look(context: RunContext, script: ScriptDirectory) -> list[tuple[str, ...]] | None:
    """Return what `read_each` returns, None if it can be read only under the lock.

    It waits no longer for another session than for another run.

    An SQLite file can't be read while its writer spills out of memory. The connection is closed
    again, since a server may have none to spare for the wait for the lock.
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
    """Return the version table's rows, creating nothing.

    `seconds` is how long that may take, in place of the settings. `has_run` says whether a
    migration has run, for the error.

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
    """Return the version table's rows of each database that `env.py` opens.

    There is one database, except with the template multidb. Only `env.py` knows the connection
    and the version table, so it is run. If the database is not up yet, wait `migrate.wait_db`
    seconds. With `seconds`, that is the limit for all; `lock_wait` is the limit for a lock.

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
        if migration_context.connection is not None:
            database.found = database.found or migration_context.connection.engine
        found.append(_checked(rev, migration_context))
        return []

    def ask(environment: EnvironmentContext) -> None:
        # Alembic's own `run_migrations` fails at some rows before it passes them on.
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
                engine_url(context.settings.url)  # if the URL is wrong, this says so
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

    If `env.py` may name the folders of revisions, it is run; it need not reach a database.

    Raises what `loading.load_history` raises.
    """
    history = load_history(context, context.reading)
    if may_be_named_by(Path(history.script.dir, "env.py")):
        with suppress(MigrateError):
            read_heads(context, history.script, seconds=GLANCE_SECONDS)
    return settled(context, history)


def _close(connections: Iterable[Connection], own: Engine | None) -> None:
    """Close the connections that `env.py` has left open.

    In WAL mode, two files stay beside an SQLite database that isn't closed. A PostgreSQL server may
    be short of connections.
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
    """Return the version table's `rows`. Raises SettingsError when one can't be an id."""
    if odd := oddity(rows):
        table = ".".join(
            filter(None, [migration_context.version_table_schema, migration_context.version_table])
        )
        raise SettingsError(
            f"The version table {table} holds {odd}, so where the database stands can't be told.",
            hint="fix its rows by hand; or is it a table of something else? Without"
            " `alembic.version_table`, the table is `alembic_version`.",
        )
    return tuple(rows)


class _NoFile(Exception):
    """The SQLite file doesn't exist yet, and connecting would make it."""

    def __init__(self, url: URL) -> None:
        self.url = url


def _refuse_to_create(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> None:
    if dialect.name == "sqlite" and cargs:
        url = URL.create("sqlite", database=str(cargs[0]))
        path = sqlite_file(url)
        if path is not None and can_be_made(path):
            raise _NoFile(url)

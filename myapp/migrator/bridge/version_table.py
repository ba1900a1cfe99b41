"""Read the version table through `env.py`, without changing anything."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.engine import URL, Connection, Dialect
from sqlalchemy.exc import ArgumentError

from ..base.attempts import asked_once
from ..base.errors import DatabaseUnreachable, EnvPyFailed, MigrateError
from ..base.results import VersionTable
from ..database.absence import can_be_made, is_absent
from ..database.failures import BUSY_FILE, error_code
from ..database.listening import listening
from ..database.url import engine_url, sqlite_file
from ..revisions.files import may_be_named_by
from .bounds import looking
from .context import RunContext
from .env_failures import told_as_errors
from .env_py import env_py_of, run_env
from .ignored_settings import tell_ignored
from .loading import ScriptHistory, load_history, settled
from .place import require_schema, version_table
from .readiness import until_up
from .tenants import loops_over_databases
from .version_facts import checked

T = TypeVar("T")
#: Is given the rows of one version table, and Alembic's context.
Take = Callable[[Sequence[Any], MigrationContext], T]

#: How many seconds a database has to answer a command that can do without it.
GLANCE_SECONDS = 3.0


def look(
    context: RunContext, script: ScriptDirectory, rows_of: Take[tuple[str, ...]] = checked
) -> tuple[VersionTable, ...] | None:
    """Return what `read_each` returns, None if it can be read only under the lock.

    It waits no longer for another session than for another run.

    An SQLite file can't be read while its writer writes its cache to the file. The connection is
    closed again, since a server may have none to spare for the wait for the lock.
    """
    if context.table is not None:
        return (context.table,)
    try:
        wait = context.settings.options.lock_wait
        return read_each(context, script, rows_of, lock_wait=wait)
    except DatabaseUnreachable as error:
        if error.__cause__ is None or error_code(error.__cause__) != BUSY_FILE:
            raise
        return None
    finally:
        if made := context.database.engine:
            made.dispose()


def read_each(
    context: RunContext,
    script: ScriptDirectory,
    rows_of: Take[tuple[str, ...]] = checked,
    *,
    seconds: float | None = None,
    lock_wait: float | None = None,
    has_run: bool = False,
) -> tuple[VersionTable, ...]:
    """Return the version table of each database that `env.py` opens, in its order.

    That is one, but with the template multidb, or a schema for each tenant; none where there is no
    tenant yet. Only `env.py` knows the
    connection and the version table, so it is run. If the database is not up yet, wait
    `migrate.wait_db` seconds. With `seconds`, that is the limit for all; `lock_wait` is the limit
    for a lock.

    `has_run` says whether a migration has run, for the error. `rows_of` returns the rows that
    count.

    Raises DatabaseUnreachable, SettingsError, or EnvPyFailed.
    """

    def take(rows: Sequence[Any], migration_context: MigrationContext) -> VersionTable:
        return looked_at(context, rows, migration_context, rows_of)

    found = examine(context, script, take, seconds=seconds, lock_wait=lock_wait, has_run=has_run)
    return tuple(dict.fromkeys(found))  # env.py may come to the same one twice


def looked_at(
    context: RunContext,
    rows: Sequence[Any],
    migration_context: MigrationContext,
    rows_of: Take[tuple[str, ...]] = checked,
) -> VersionTable:
    """Return the version table of a context that `examine` has come to, with its `rows`.

    Raises what `read_each` raises.
    """
    table = version_table(migration_context, rows_of(rows, migration_context))
    require_schema(migration_context, table)
    tell_ignored(context, migration_context, table)
    return replace(table, missing_file=missing_file(migration_context))


def examine(
    context: RunContext,
    script: ScriptDirectory,
    take: Take[T],
    *,
    seconds: float | None = None,
    lock_wait: float | None = None,
    has_run: bool = False,
) -> list[T]:
    """Return what `take` makes of each version table that `read_each` reads."""

    def ask() -> list[T]:
        return _ask_each(context, script, take, seconds, lock_wait, has_run)

    if seconds is not None:
        with asked_once():
            return ask()
    return until_up(context, ask)


def _ask_each(
    context: RunContext,
    script: ScriptDirectory,
    take: Take[T],
    seconds: float | None,
    lock_wait: float | None,
    has_run: bool,
) -> list[T]:
    database = context.database
    found: list[T] = []

    def keep(rev: Any, migration_context: MigrationContext) -> list[Any]:
        if migration_context.connection is not None:
            database.found = database.found or migration_context.connection.engine
        found.append(take(rev, migration_context))
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
            listening(do_connect=without_creating, engine_connect=opened),
            looking(context, seconds=seconds, lock_wait=lock_wait),
        ):
            try:
                environment = run_env(context, script, keep, ask, dont_mutate=True)
            except (ArgumentError, KeyError):
                engine_url(context.settings.url)  # if the URL is wrong, this says so
                raise
    finally:
        database.only_reads = False
        _close(seen, database.engine)
    env_py = Path(script.dir, "env.py")
    if not found and (_is_configured(environment) or not loops_over_databases(env_py)):
        raise EnvPyFailed(
            "env.py ended without running Alembic, so nothing is known of the database.",
            hint="let it call `context.configure()` and `context.run_migrations()`.",
            path=str(env_py),
        )
    return found


def _is_configured(environment: EnvironmentContext) -> bool:
    """Tell whether `env.py` has called `context.configure()`."""
    try:
        environment.get_context()
    except Exception:  # noqa: BLE001 - Alembic raises nothing narrower
        return False
    return True


def history_of_files(context: RunContext) -> ScriptHistory:
    """Return the history for a command that asks no database.

    If `env.py` may name the folders of revisions, it is run; it need not reach a database.

    Raises what `loading.load_history` raises.
    """
    history = load_history(context, context.reading)
    if may_be_named_by(env_py_of(history.script)):
        with suppress(MigrateError):
            read_each(context, history.script, seconds=GLANCE_SECONDS)
    return settled(context, history)


def _close(connections: Iterable[Connection], own: Engine | None) -> None:
    """Close the connections that `env.py` has left open.

    In WAL mode, two files stay beside an SQLite database that isn't closed. A PostgreSQL server may
    be short of connections.
    """
    for connection in connections:
        engine = connection.engine
        is_own = own is not None and engine.pool is own.pool
        # A pool may hold an empty database in place of a file that others are about to make.
        if connection.dialect.is_async or (is_own and not sqlite_file(engine.url)):
            continue
        if sqlite_file(engine.url):
            connection.close()
        if sqlite_file(engine.url) or engine.dialect.name == "postgresql":
            engine.dispose()


def without_creating(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> Any:
    """Open an empty database in memory, in place of an SQLite file that doesn't exist yet."""
    if dialect.name != "sqlite" or not cargs or not _can_be_made(str(cargs[0])):
        return None
    return dialect.connect(":memory:", *cargs[1:], **cparams)


def missing_file(migration_context: MigrationContext) -> str | None:
    """Return the path of the SQLite file that `env.py` has opened, if it doesn't exist yet."""
    connection = migration_context.connection
    path = None if connection is None else sqlite_file(connection.engine.url)
    return path if path is not None and is_absent(path) else None


def _can_be_made(name: str) -> bool:
    path = sqlite_file(URL.create("sqlite", database=name))
    return path is not None and can_be_made(path)

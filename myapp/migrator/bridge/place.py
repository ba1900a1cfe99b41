"""Which database and which schema `env.py` has opened, as the connection itself tells."""

from collections.abc import Iterable

from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import URL

from ..base.errors import DatabaseUnreachable
from ..base.results import VersionTable
from .version_row import aside


def version_table(migration_context: MigrationContext, rows: Iterable[str]) -> VersionTable:
    """Return the version table of this context, with its `rows`."""
    connection = migration_context.connection
    assert connection is not None  # noqa: S101 - only `--sql` has none, and doesn't come here
    url, schema = connection.engine.url, migration_context.version_table_schema
    translated = connection.get_execution_options().get("schema_translate_map") or {}
    schema = translated.get(schema, schema)
    if connection.dialect.name == "postgresql" and (schema is None or not url.database):
        database, current = _asked(migration_context)
        url = url if url.database else url.set(database=database)
        schema = schema or current
    return VersionTable(shown(url), schema, migration_context.version_table, tuple(rows))


def require_schema(migration_context: MigrationContext, table: VersionTable) -> None:
    """Raise DatabaseUnreachable where PostgreSQL has no schema to look for `table` in.

    It passes over a schema that the role may not use, as if there were no version table.
    """
    if migration_context.dialect.name == "postgresql" and table.schema is None:
        raise DatabaseUnreachable(
            "The version table can't be looked for: this user may use no schema of its path.",
            hint="GRANT USAGE ON SCHEMA public, or the one that you use, to the user in"
            " `sqlalchemy.url`; or create that schema.",
            retryable=False,
        )


def shown(url: URL) -> str:
    """Return `url` without its secrets."""
    return url.set(query={}).render_as_string(hide_password=True)


def _asked(migration_context: MigrationContext) -> tuple[str, str | None]:
    with aside(migration_context) as connection:
        database, schema = connection.exec_driver_sql(
            "SELECT current_database(), current_schema()"
        ).one()
    return database, schema

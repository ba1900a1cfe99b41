"""What a version table holds, asked on the connection that `env.py` has opened."""

from collections.abc import Sequence
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from ..base.errors import SettingsError
from ..database.odd_rows import foreign_row, oddity

#: What to do about rows that can be mended.
HOW_TO_MEND = "`{cmd} repair` shows what it would write, and asks."
#: What to do where no row says where the database stands.
HOW_TO_TELL = "if you know it, `{cmd} stamp --purge REVISION` writes it (`base` for none)."


def table_name(migration_context: MigrationContext) -> str:
    """Return the version table's name, with its schema if that is given."""
    named = migration_context.version_table_schema, migration_context.version_table
    return ".".join(filter(None, named))


def is_there(migration_context: MigrationContext) -> bool:
    """Tell whether there is a version table."""
    assert migration_context.connection is not None  # noqa: S101 - only `--sql` has none
    name, schema = migration_context.version_table, migration_context.version_table_schema
    return inspect(migration_context.connection).has_table(name, schema=schema)


def checked(rows: Sequence[Any], migration_context: MigrationContext) -> tuple[str, ...]:
    """Return the version table's `rows`. Raises SettingsError when one can't be an id."""
    found = mendable(rows, migration_context)
    if odd := oddity(rows):
        says_something = any(row and row.strip() for row in found)
        raise _odd(migration_context, odd, HOW_TO_MEND if says_something else HOW_TO_TELL)
    return found


def mendable(rows: Sequence[Any], migration_context: MigrationContext) -> tuple[str, ...]:
    """Return those of the version table's `rows` that are text, be they ids or not.

    Raises SettingsError when one is none, and not NULL.
    """
    if foreign := foreign_row(rows):
        raise _odd(
            migration_context,
            foreign,
            "is it a table of something else? Without `alembic.version_table`, the table is"
            " `alembic_version`.",
        )
    return tuple(row for row in rows if row is not None)


def _odd(migration_context: MigrationContext, what: str, hint: str) -> SettingsError:
    return SettingsError(
        f"The version table {table_name(migration_context)} holds {what}, so where the database"
        " stands can't be told.",
        hint=hint,
    )

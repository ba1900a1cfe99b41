"""The width of the version table's column, which has to hold the longest id.

Alembic makes it 32 characters wide, whatever the ids. PostgreSQL then refuses a longer one, when
all the work of the revision is done. SQLite keeps to no width.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CHAR, String, Table, event, inspect, table, text

from ..base.errors import SettingsError
from ..revisions.history import History
from .version_facts import table_name
from .version_row import aside, is_version_table

#: How wide Alembic makes the column.
ALEMBICS_WIDTH = 32

_OF_POSTGRESQL = text(
    "SELECT atttypmod - 4, atttypid = 'pg_catalog.bpchar'::regtype FROM pg_catalog.pg_attribute"
    " WHERE attrelid = to_regclass(:name) AND attname = 'version_num' AND atttypmod > 4"
    " AND atttypid IN ('pg_catalog.varchar'::regtype, 'pg_catalog.bpchar'::regtype)"
)


@contextmanager
def wide_enough(history: History) -> Iterator[None]:
    """Give each version table that is created within a column for the longest id of `history`.

    It is Alembic that creates it, for any `env.py`, and writes that as SQL.
    """

    def make_room(made: Table, *_: Any, **__: Any) -> None:
        if is_version_table(made):
            type_ = made.c.version_num.type
            if isinstance(type_, String) and type_.length and type_.length < history.longest:
                made.c.version_num.type = wider = type_.copy()
                wider.length = history.longest

    event.listen(Table, "before_create", make_room)
    try:
        yield
    finally:
        event.remove(Table, "before_create", make_room)


@dataclass(frozen=True)
class Column:
    """How many characters the column takes, and whether it adds blanks to them."""

    width: int
    is_padded: bool = False


def version_column(migration_context: MigrationContext) -> Column | None:
    """Return the column version_num; None where it has no limit, or there is no table."""
    name, schema = migration_context.version_table, migration_context.version_table_schema
    with aside(migration_context) as connection:
        if connection.dialect.name == "sqlite":
            return None
        if connection.dialect.name == "postgresql":
            # To answer it, SQLAlchemy would read all types and domains of the database.
            quoted = connection.dialect.identifier_preparer.format_table(table(name, schema=schema))
            found = connection.execute(_OF_POSTGRESQL, {"name": quoted}).one_or_none()
            return Column(*found) if found else None
        inspector = inspect(connection)
        if not inspector.has_table(name, schema=schema):
            return None
        types = {each["name"]: each["type"] for each in inspector.get_columns(name, schema=schema)}
        type_ = types.get("version_num")
        length = type_.length if isinstance(type_, String) else None
        return Column(length, isinstance(type_, CHAR)) if length else None


def widen(migration_context: MigrationContext, narrow: int, wide: int) -> None:
    """Make the column of a table that is there `wide` instead of `narrow`, and pad no id."""
    Operations(migration_context).alter_column(
        migration_context.version_table,
        "version_num",
        schema=migration_context.version_table_schema,
        existing_type=String(narrow),
        type_=String(wide),
        existing_nullable=False,
    )


def require_room(migration_context: MigrationContext, ids: Iterable[str]) -> None:
    """Raise SettingsError when one of `ids`, which are to be written, is too long."""
    longest = max(ids, key=len, default="")
    column = version_column(migration_context) if longest else None
    if column and len(longest) > column.width:
        raise SettingsError(
            f"The revision id {longest} has {len(longest)} characters, and the version table"
            f" {table_name(migration_context)} takes {column.width}, so it could not be recorded."
            " Nothing was run.",
            hint="`{cmd} repair` widens the column version_num.",
        )

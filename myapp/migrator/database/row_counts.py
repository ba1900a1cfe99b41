"""How much a table or a column holds."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, column, func, literal_column, select, table, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

#: How many rows are counted one by one. More take too long.
LIMIT = 1_000_000

_ESTIMATE = text(
    "SELECT c.reltuples * (1 - coalesce(s.null_frac, 0)) FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname"
    " AND s.attname = :column"
    " WHERE c.oid = to_regclass(:table) AND c.reltuples > :limit"
)


@dataclass(frozen=True)
class RowCount:
    """A number of rows or values; `is_estimate` where there are too many to count them."""

    number: int
    is_estimate: bool = False


def count_rows(
    connection: Connection, name: str, column_name: str | None = None, schema: str | None = None
) -> RowCount | None:
    """Return how many rows a table has, or how many of them have a value in a column.

    None where the database doesn't say.
    """
    try:
        if connection.dialect.name != "postgresql":
            return _counted(connection, name, column_name, schema)
        # An error would end the caller's transaction.
        with connection.begin_nested():
            return _estimated(connection, name, column_name, schema) or _counted(
                connection, name, column_name, schema
            )
    except SQLAlchemyError:
        return None


def _counted(
    connection: Connection, name: str, column_name: str | None, schema: str | None
) -> RowCount:
    rows: Select[Any] = select(literal_column("1")).select_from(table(name, schema=schema))
    if column_name is not None:
        rows = rows.where(column(column_name).is_not(None))
    found = connection.scalar(select(func.count()).select_from(rows.limit(LIMIT + 1).subquery()))
    return RowCount(min(found or 0, LIMIT), is_estimate=(found or 0) > LIMIT)


def _estimated(
    connection: Connection, name: str, column_name: str | None, schema: str | None
) -> RowCount | None:
    quoted = connection.dialect.identifier_preparer.format_table(table(name, schema=schema))
    asked = {"column": column_name, "table": quoted, "limit": LIMIT}
    found = connection.scalar(_ESTIMATE, asked)
    return None if found is None else RowCount(round(found), is_estimate=True)

"""How many rows and values a drop takes away, as far as that is known quickly."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import Connection, Integer, column, func, inspect, select, table, text
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from ..base.losses import Drop, Loss

#: Up to so many rows are counted. To count a large table would take longer than to drop it.
_COUNTED = 200_000
_ESTIMATE = text(
    "SELECT c.reltuples, coalesce((SELECT s.null_frac FROM pg_stats s JOIN pg_namespace n"
    " ON n.nspname = s.schemaname WHERE n.oid = c.relnamespace AND s.tablename = c.relname"
    " AND s.attname = :column), 0) FROM pg_class c WHERE c.oid = to_regclass(:name)"
)


def counted(connection: Connection, drop: Drop, revision: str = "", place: str = "") -> Loss | None:
    """Return what `drop` takes away, None where the database has no such table or column.

    Its number is None where the database doesn't say.
    """
    unknown = Loss(drop, revision, place=place)
    if not drop.is_named:
        return unknown
    try:
        with _aside(connection):
            return _counted(connection, drop, unknown)
    except NoSuchTableError:
        return None
    except SQLAlchemyError:
        return unknown


def _aside(connection: Connection) -> AbstractContextManager[Any]:
    """Keep an error from ending the caller's transaction, as it does on PostgreSQL."""
    is_postgresql = connection.dialect.name == "postgresql"
    return connection.begin_nested() if is_postgresql else nullcontext()


def _counted(connection: Connection, drop: Drop, unknown: Loss) -> Loss | None:
    assert drop.table is not None  # noqa: S101 - it is named
    columns = [each["name"] for each in inspect(connection).get_columns(drop.table, drop.schema)]
    if drop.column is not None and drop.column not in columns:
        return None
    if not columns:  # PostgreSQL has tables without columns
        return unknown
    name = drop.column or columns[0]
    some = select(column(name, Integer)).select_from(table(drop.table, schema=drop.schema))
    looked_at = some.limit(_COUNTED + 1).subquery()
    rows, values = connection.execute(
        select(func.count(), func.count(looked_at.c[name])).select_from(looked_at)
    ).one()
    count = values if drop.column else rows
    if rows <= _COUNTED:
        return Loss(drop, unknown.revision, count, place=unknown.place)
    if about := _estimated(connection, drop):
        return Loss(drop, unknown.revision, about, "about", unknown.place)
    return Loss(drop, unknown.revision, min(count, _COUNTED), "more", unknown.place)


def _estimated(connection: Connection, drop: Drop) -> int:
    """Return what PostgreSQL takes for the number, to three digits; 0 where it doesn't know."""
    if connection.dialect.name != "postgresql":
        return 0
    quote = connection.dialect.identifier_preparer.quote
    name = ".".join(quote(part) for part in (drop.schema, drop.table) if part)
    found: Any = connection.execute(_ESTIMATE, {"name": name, "column": drop.column}).first()
    if found is None or found[0] <= _COUNTED:
        return 0
    return int(float(f"{found[0] * (1 - found[1]):.3g}"))

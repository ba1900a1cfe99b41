"""What a revision calls: build an index, or drop it, while the application goes on writing."""

from collections.abc import Sequence
from typing import Any

from alembic import op
from sqlalchemy.sql.elements import ColumnElement, TextClause

from .base.errors import MigrationFailed
from .base.quoting import literal
from .database.invalid_indexes import in_the_way
from .database.whole_sql import run_whole

_STANDING = """
    SELECT i.indrelid = to_regclass({table}), i.indisunique, i.indpred IS NOT NULL, m.amname::text,
        i.indnatts - i.indnkeyatts,
        ARRAY(
            SELECT pg_get_indexdef(i.indexrelid, number, true)
            FROM generate_series(1, i.indnkeyatts) AS number ORDER BY number
        ),
        pg_get_indexdef(i.indexrelid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
    WHERE {found}
"""
_FOUND = """c.relname = {name}
    AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass({table}))"""
# A DO block asks and drops in one statement, so that a script can have it. It can't do so
# concurrently.
_DROP_INVALID = """\
DO $$
DECLARE
    invalid regclass;
BEGIN
    SELECT i.indexrelid INTO invalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND {found};
    IF FOUND THEN
        EXECUTE 'DROP INDEX ' || invalid;
    END IF;
END
$$"""


def create_index_concurrently(
    index_name: str,
    table_name: str,
    columns: Sequence[str | TextClause | ColumnElement[Any]],
    *,
    schema: str | None = None,
    unique: bool = False,
    **options: Any,
) -> None:
    """Create an index; on PostgreSQL CONCURRENTLY, outside a transaction, so that it can be rerun.

    What came before in the revision is committed. An invalid index of that name, which an earlier
    try has left, is dropped first. A valid one that is alike is kept; with `--sql`, any valid one.
    The arguments are those of `op.create_index`. Other databases get a plain index.

    Raises MigrationFailed when another index has that name, or another session is at work on it.
    """
    context = op.get_context()
    options = {"schema": schema, "unique": unique, **options}
    if context.dialect.name != "postgresql":
        op.create_index(index_name, table_name, columns, **options)
        return
    quote = context.dialect.identifier_preparer.quote
    table = f"{quote(schema)}.{quote(table_name)}" if schema else quote(table_name)
    found = _FOUND.format(name=literal(index_name), table=literal(table))
    drop = _DROP_INVALID.format(found=found) if context.as_sql else None
    if not context.as_sql:
        rows = _rows(_STANDING.format(found=f"i.indisvalid AND {found}", table=literal(table)))
        if rows:
            _require_alike(index_name, columns, options, rows[0])
            return
        if invalid := in_the_way(f"CREATE INDEX {quote(index_name)} ON {table} ", _rows):
            if invalid.is_in_work:
                raise MigrationFailed(
                    f"{invalid} is being built or dropped by another session",
                    hint="wait until the other session has ended",
                )
            drop = invalid.removal
    with context.autocommit_block():
        if drop:
            op.execute(drop.replace(":", r"\:"))
        op.create_index(
            index_name,
            table_name,
            columns,
            if_not_exists=context.as_sql or None,
            postgresql_concurrently=True,
            **options,
        )


def drop_index_concurrently(
    index_name: str, table_name: str, *, schema: str | None = None, **options: Any
) -> None:
    """Drop an index if it is there; on PostgreSQL CONCURRENTLY, outside a transaction.

    What came before in the revision is committed. Other databases drop it plainly.
    """
    context = op.get_context()
    options = {"table_name": table_name, "schema": schema, **options}
    if context.dialect.name != "postgresql":
        op.drop_index(index_name, **options)
        return
    with context.autocommit_block():
        op.drop_index(index_name, if_exists=True, postgresql_concurrently=True, **options)


def _require_alike(
    name: str, columns: Sequence[Any], options: dict[str, Any], standing: Sequence[Any]
) -> None:
    """Raise MigrationFailed unless the index that stands is as it would be made.

    Of an expression, only the place is compared: PostgreSQL writes it in its own way.
    """
    is_on_table, *known, found, definition = standing
    wanted = [
        options["unique"],
        options.get("postgresql_where") is not None,
        options.get("postgresql_using") or "btree",
        len(options.get("postgresql_include") or ()),
    ]
    names = [each.strip('"').replace('""', '"') for each in found]
    are_alike = len(names) == len(columns) and all(
        column == name
        for column, name in zip(columns, names, strict=True)
        if isinstance(column, str)
    )
    if not (is_on_table and known == wanted and are_alike):
        raise MigrationFailed(
            f"index {name} is there already, and is another one: {definition}",
            hint="drop that one first, or give the new one another name",
        )


def _rows(query: str) -> list[Any]:
    return [*run_whole(op.get_bind(), query)]

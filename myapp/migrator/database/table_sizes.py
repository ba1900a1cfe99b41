"""How large the tables of a database are, as far as that is known without reading them."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ..base.plans import TableSize
from .lexing import tokens

#: To measure a table waits for who has locked it whole. Then the last count of its pages has to do.
_POSTGRESQL = text("""
    WITH locked AS (
        SELECT relation FROM pg_locks
        WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    SELECT n.nspname, c.relname, pg_table_is_visible(c.oid),
        CASE WHEN c.oid IN (SELECT relation FROM locked)
            THEN c.relpages::bigint * current_setting('block_size')::bigint
        WHEN c.relkind = 'p'
            THEN (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(c.oid))
        ELSE pg_total_relation_size(c.oid) END,
        CASE WHEN c.relkind = 'p' THEN
            (SELECT sum(p.reltuples) FROM pg_partition_tree(c.oid) t
             JOIN pg_class p ON p.oid = t.relid WHERE t.isleaf AND p.reltuples >= 0)
        ELSE c.reltuples END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2
""")
_SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
#: `dbstat` is missing in some builds of SQLite (https://www.sqlite.org/dbstat.html).
_SQLITE_BYTES = (
    "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name"
    " WHERE s.aggregate = 1 GROUP BY 1"
)
#: It goes through all pages, so a larger file is left alone.
_MEASURED = 1 << 30
#: Up to so many rows are counted. Beyond, the largest rowid has to do.
_COUNTED = 100_000


def table_sizes(connection: Connection) -> tuple[TableSize, ...]:
    """Return the tables of the database, without those of the system.

    There is none where the kind of database isn't known. Raises SQLAlchemy's errors.
    """
    if connection.dialect.name == "postgresql":
        return tuple(
            TableSize(schema, name, int(size or 0), _rows(rows), is_visible)
            for schema, name, is_visible, size, rows in connection.execute(_POSTGRESQL)
        )
    return tuple(_sqlite_tables(connection)) if connection.dialect.name == "sqlite" else ()


def named_in(sql: Iterable[str], tables: Sequence[TableSize]) -> tuple[TableSize, ...]:
    """Return those of `tables` that the statements of `sql` name.

    A column or an alias with the name of a table counts too: better one too many.
    """
    found: dict[TableSize, None] = {}
    known: dict[str, list[TableSize]] = {}
    for table in tables:
        known.setdefault(table.name.lower(), []).append(table)
    for statement in sql:
        words = list(_words(statement))
        for at, word in enumerate(words):
            candidates = known.get(word, ())
            if not candidates:
                continue
            schema = words[at - 2] if at > 1 and words[at - 1] == "." else None
            inside = [each for each in candidates if (each.schema or "").lower() == schema]
            visible = [each for each in candidates if each.is_visible]
            # After a dot stands a table of that schema, or a column, which is none.
            found |= dict.fromkeys(inside if schema else visible)
    return tuple(found)


def _rows(estimate: float | None) -> int | None:
    """Return PostgreSQL's estimate; it has none of a table that was never analysed."""
    return None if estimate is None or estimate < 0 else int(estimate)


def _words(sql: str) -> Iterator[str]:
    """Yield the names of `sql` in lower case, and what stands between them."""
    for token in tokens(sql):
        if token is None:
            return
        if token.kind == "name":
            yield token.text.strip('"').replace('""', '"').lower()
        elif token.kind == "word":
            yield token.text.lower()
        elif token.kind == "tagged":  # the body of a function, or of DO
            yield from _words(token.text.split("$", 2)[2].rsplit("$", 2)[0])
        elif token.kind == "other" and not token.text.isspace():
            yield token.text


def _sqlite_tables(connection: Connection) -> Iterator[TableSize]:
    sizes: dict[str, int] = {}
    pages: int = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    page_size: int = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    if pages * page_size <= _MEASURED:
        try:
            sizes = {row[0]: row[1] for row in connection.exec_driver_sql(_SQLITE_BYTES)}
        except DBAPIError:
            sizes = {}
    for name in connection.exec_driver_sql(_SQLITE_TABLES).scalars().all():
        yield TableSize(None, name, sizes.get(name), _sqlite_rows(connection, name))


def _sqlite_rows(connection: Connection, name: str) -> int | None:
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    try:
        some = f"SELECT count(*) FROM (SELECT 1 FROM {quoted} LIMIT {_COUNTED})"  # noqa: S608 - quoted
        rows: int = connection.exec_driver_sql(some).scalar_one()
        if rows < _COUNTED:
            return rows
        last = connection.exec_driver_sql(f"SELECT max(rowid) FROM {quoted}")  # noqa: S608 - quoted
        return int(last.scalar_one())
    except DBAPIError:
        return None  # a table WITHOUT ROWID, or a virtual one whose module isn't loaded

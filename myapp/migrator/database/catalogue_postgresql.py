"""The schema of a PostgreSQL database, in one query of its catalogue.

The server writes each definition itself, as `pg_dump` has it do. PostgreSQL 14 to 18.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from sqlalchemy.engine import Connection

from .catalogue import ORDER, SchemaObject
from .catalogue_others import OTHERS, SCHEMAS, TYPES
from .catalogue_relations import RELATIONS
from .catalogue_sql import WITH
from .transactions import is_autocommit

#: What changes how the server writes a definition. Without a path, it names the schemas.
_SETTINGS = {
    "search_path": "",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "quote_all_identifiers": "off",
    # The server would compile this query for longer than it runs.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "transaction_read_only": "on",
    # It takes the few rows of its first part for fewer than they are.
    "enable_nestloop": "off",
}
#: Each kind of objects after the one that they are parts of.
_PARTS = (*SCHEMAS, *TYPES, *RELATIONS, *OTHERS)
_QUERY = WITH + " UNION ALL ".join(
    f"({each.select.replace('SELECT ', f'SELECT {number}, ', 1)})"
    for number, each in enumerate(_PARTS)
)
#: A session of a pooler may have that of another release of this code.
_NAME = f"migrate_catalogue_{crc32(_QUERY.encode())}"
#: Sets all of it, and asks whether this session of the server has the query prepared.
_SET = (
    "SELECT count(*), "  # noqa: S608 - all parts are constants
    + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _SETTINGS.items())
    + f" FROM pg_prepared_statements WHERE name = '{_NAME}'"
)
_WITH_ORDER = {"table", "foreign table"}


def objects(connection: Connection) -> Iterator[SchemaObject]:
    """Yield the objects of all schemas, each after the one that it is a part of."""
    with _undone(connection):
        is_prepared = connection.exec_driver_sql(_SET).scalar()
        query = f"EXECUTE {_NAME}" if is_prepared else _query(connection)
        rows = connection.exec_driver_sql(query).all()
    columns: dict[tuple[str, str], list[str]] = {}
    for number, kind, name, of_kind, of_name, values in rows:
        of = (of_kind, of_name) if of_kind else None
        pairs = zip(_PARTS[number].names, values, strict=True)
        yield SchemaObject(
            kind, name, of, {fact: known for fact, known in pairs if known is not None}
        )
        if kind in _WITH_ORDER:
            columns[kind, name] = []
        elif kind == "column" and of in columns:
            columns[of_kind, of_name].append(name[len(of_name) + 1 :])
    for table, names in columns.items():
        yield SchemaObject(ORDER, table[1], table, {"columns": "\n".join(names)})


def _query(connection: Connection) -> str:
    """Return the query, prepared from the second time on: to plan it takes longer than a small run.

    A pooler may give each transaction another session of the server, which is asked each time.
    """
    if not connection.info.setdefault(_NAME, False):
        connection.info[_NAME] = True
        return _QUERY
    connection.exec_driver_sql(f"PREPARE {_NAME} AS {_QUERY}")
    return f"EXECUTE {_NAME}"


@contextmanager
def _undone(connection: Connection) -> Iterator[None]:
    """Take back at the end what is set within, whatever it was before."""
    if is_autocommit(connection):
        connection.exec_driver_sql("BEGIN")
        try:
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")
        return
    with connection.begin_nested() as savepoint:
        yield
        savepoint.rollback()

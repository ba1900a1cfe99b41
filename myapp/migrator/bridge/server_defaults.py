"""Compare server defaults by what they mean to the database, not by their text."""

import re
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import AlterColumnOp
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy import Column, DefaultClause, TextClause, text
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import CompileError, DBAPIError

#: With the cast that PostgreSQL adds.
_LITERAL = re.compile(r"('(?:[^']|'')*')(?:::[\w\s.\"\[\](),]+)?")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def setup(plugin: Plugin) -> None:
    """Register the comparison with Alembic: after those of computed columns, before its own."""
    for dialect in ("postgresql", "sqlite"):
        plugin.add_autogenerate_comparator(_compare, "column", "server_default", qualifier=dialect)


def _compare(
    autogen_context: AutogenContext,
    alter_column_op: AlterColumnOp,
    schema: str | None,
    table_name: str,
    column_name: str,
    found: "Column[Any]",
    wanted: "Column[Any]",
) -> PriorityDispatchResult:
    before, after = found.server_default, wanted.server_default
    if not isinstance(before, DefaultClause | None) or not isinstance(after, DefaultClause | None):
        return PriorityDispatchResult.CONTINUE
    connection = autogen_context.connection
    assert connection is not None  # noqa: S101 - there is one to compare with
    # What stands in the database is no text with parameters, as SQLAlchemy reads it.
    one = before.arg.text if before and isinstance(before.arg, TextClause) else None
    other = sql_of(after, connection.dialect)
    if one is None or other is None:
        is_equal = one == other or (after is None and _is_serial(one, wanted))
    else:
        is_equal = _bare(one) == _bare(other) or _mean_the_same(connection, one, other, found)
    if not is_equal:
        alter_column_op.modify_server_default = after
    return PriorityDispatchResult.STOP


def sql_of(default: DefaultClause | None, dialect: Dialect) -> str | None:
    """Return the SQL of a model's default, in which a string stands for itself."""
    if default is None:
        return None
    if isinstance(default.arg, str):
        return "'{}'".format(default.arg.replace("'", "''"))
    # Another paramstyle would double each `%`.
    kind: Any = type(dialect)
    plain = kind(paramstyle="named")
    return str(default.arg.compile(dialect=plain, compile_kwargs={"literal_binds": True}))


def _is_serial(sql: str | None, column: "Column[Any]") -> bool:
    """Tell whether this is the default that PostgreSQL has given a key for itself."""
    return column is column.table.autoincrement_column and (sql or "").startswith("nextval(")


def _bare(sql: str) -> str:
    """Return a default without parentheses, and a number or a literal as its plain text.

    Most defaults are then equal, and the database need not be asked.
    """
    sql = sql.strip()
    while sql.startswith("(") and sql.endswith(")"):
        sql = sql[1:-1].strip()
    if literal := _LITERAL.fullmatch(sql):
        return literal[1]
    return f"'{sql}'" if _NUMBER.fullmatch(sql) else sql


def _mean_the_same(connection: Connection, one: str, other: str, column: "Column[Any]") -> bool:
    """Let the database tell whether two defaults are one; it runs none that has an effect."""
    if connection.dialect.name == "sqlite":
        values = f"SELECT CAST(({one}) AS TEXT) IS CAST(({other}) AS TEXT)"
        return _asked(connection, values) == ["1"]
    try:
        type_ = column.type.compile(dialect=connection.dialect)
    except CompileError:  # a type that SQLAlchemy doesn't know
        type_ = "text"
    # EXPLAIN writes an expression as PostgreSQL has understood it, and doesn't run it.
    explain = "EXPLAIN (VERBOSE, COSTS OFF) SELECT CAST(({}) AS {})"
    understood = [_asked(connection, explain.format(each, type_)) for each in (one, other)]
    return understood[0] is not None and understood[0] == understood[1]


def _asked(connection: Connection, sql: str) -> list[str] | None:
    """Return what the database answers, None where it refuses. Its transaction goes on."""
    try:
        with connection.begin_nested():
            found = connection.execute(text(sql.replace(":", r"\:")))
            return [str(each) for each in found.scalars()]
    except DBAPIError:
        return None

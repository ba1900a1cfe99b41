"""Compare PostgreSQL's enums with the models'.

Alembic compares none, and its `drop_table` leaves a type behind.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import ARRAY, Column, DefaultClause, Dialect, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from .enum_operations import EnumType, EnumWriter, User
from .server_defaults import sql_of

_USERS = """
SELECT n.nspname, c.relname, a.attname, a.atttypid = t.typarray, pg_get_expr(d.adbin, d.adrelid)
FROM pg_type t
JOIN pg_namespace tn ON tn.oid = t.typnamespace
JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray)
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE t.typname = :name AND tn.nspname = :schema AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
ORDER BY n.nspname, c.relname, a.attnum
"""
#: Schema, table and column; None is every column.
_Gone = tuple[str | None, str, str | None]


def setup(plugin: Plugin) -> None:
    """Register the comparison with Alembic."""
    plugin.add_autogenerate_comparator(
        _compare,
        "schema",
        "enums",
        qualifier="postgresql",
        priority=DispatchPriority.LAST,  # it looks at the operations for tables
    )


def _compare(
    autogen_context: AutogenContext, upgrade_ops: ops.UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    looker = _Looker(autogen_context)
    writer = EnumWriter(autogen_context.dialect.identifier_preparer.quote)
    declared = {each.key: each for each in looker.declared() if each.schema in schemas}
    existing = {each.key: each for each in looker.existing() if each.schema in schemas}
    operations = upgrade_ops.ops
    first: list[ops.MigrateOperation] = []
    created = looker.in_tables(op for op in operations if isinstance(op, ops.CreateTableOp))
    for key, enum in sorted(declared.items()):
        before = existing.get(key)
        if before is None:
            if enum.is_ours:
                first.append(writer.add(enum, is_implied=key in created))
        elif set(enum.labels) != set(before.labels):
            new = set(enum.labels) - set(before.labels)
            used = [sql for sql in _defaults(operations) for label in new if label in sql]
            first.append(writer.change(before, enum, looker.users(before), is_used=bool(used)))
    last: list[ops.MigrateOperation] = []
    dropped = looker.in_tables(op for op in operations if isinstance(op, ops.DropTableOp))
    gone = set(_columns_gone(operations))
    for key in sorted(existing.keys() - declared.keys()):
        users = looker.users(existing[key])
        # A type that no column had is not the models' business.
        if users and all(gone & {(*user[:2], None), user[:3]} for user in users):
            last.append(writer.add(existing[key], is_implied=key in dropped).reverse())
    for op in operations:
        if isinstance(op, ops.ModifyTableOps):
            op.ops = [each for own in op.ops for each in looker.cast(own, writer)]
    upgrade_ops.ops = [*first, *operations, *last]
    return PriorityDispatchResult.CONTINUE


def _columns_gone(operations: Sequence[ops.MigrateOperation]) -> Iterator[_Gone]:
    """Yield what is dropped or gets another type."""
    for op in operations:
        if isinstance(op, ops.ModifyTableOps):
            yield from _columns_gone(op.ops)
        elif isinstance(op, ops.DropTableOp):
            yield op.schema, op.table_name, None
        elif isinstance(op, ops.DropColumnOp) or (
            isinstance(op, ops.AlterColumnOp) and op.modify_type is not None
        ):
            yield op.schema, op.table_name, op.column_name


def _defaults(operations: Sequence[ops.MigrateOperation]) -> Iterator[str]:
    """Yield the server defaults that columns get."""
    for op in operations:
        given: list[Any] = []
        if isinstance(op, ops.ModifyTableOps):
            yield from _defaults(op.ops)
        elif isinstance(op, ops.CreateTableOp):
            given = [column.server_default for column in op.to_table().columns]
        elif isinstance(op, ops.AddColumnOp):
            given = [op.column.server_default]
        elif isinstance(op, ops.AlterColumnOp):
            given = [op.modify_server_default]
        yield from (str(each.arg) for each in given if isinstance(each, DefaultClause))


class _Looker:
    """Finds the enums of the models, of the database and of the operations."""

    def __init__(self, autogen_context: AutogenContext) -> None:
        assert autogen_context.connection is not None  # noqa: S101 - there is one to compare with
        self._context = autogen_context
        self._connection = autogen_context.connection
        self._default_schema = autogen_context.dialect.default_schema_name

    def declared(self) -> Iterator[EnumType]:
        """Yield the enums of the models' columns."""
        for table in self._context.sorted_tables:
            if self._context.run_object_filters(table, table.name, "table", False, None):
                yield from self._of_columns(table.columns)

    def existing(self) -> Iterator[EnumType]:
        """Yield the enums of the database."""
        inspector: Any = inspect(self._connection)
        for each in inspector.get_enums("*"):
            yield EnumType(self._schema(each["schema"]), each["name"], tuple(each["labels"]))

    def in_tables(
        self, operations: Iterable[ops.CreateTableOp | ops.DropTableOp]
    ) -> set[tuple[str, str]]:
        """Return the keys of the enums of tables that are created or dropped."""
        return {each.key for op in operations for each in self._of_columns(op.to_table().columns)}

    def users(self, enum: EnumType) -> list[User]:
        """Return the columns of the database that have this type."""
        names = {"name": enum.name, "schema": enum.schema or self._default_schema}
        found = self._connection.execute(text(_USERS), names)
        return [User(self._schema(schema), *others) for schema, *others in found]

    def cast(self, op: ops.MigrateOperation, writer: EnumWriter) -> Iterator[ops.MigrateOperation]:
        """Yield an operation; for a column that becomes an enum or was one, with the cast it needs.

        PostgreSQL casts neither the column's values nor its default to an enum by itself.
        """
        dialect = self._context.dialect
        types = [op.existing_type, op.modify_type] if isinstance(op, ops.AlterColumnOp) else []
        if not isinstance(op, ops.AlterColumnOp) or not all(types):
            yield op
            return
        old, new = op.existing_server_default or None, op.modify_server_default
        is_plain = all(isinstance(each, DefaultClause | None) for each in (old, new or None))
        if not is_plain or not any(_enum_of(each, dialect) for each in types if each):
            yield op
            return
        before = str(old.arg) if isinstance(old, DefaultClause) else None
        if new is False:  # the same one, of another type
            after = before and re.sub(r"::[^':]+$", "", before)
        else:
            after = sql_of(new if isinstance(new, DefaultClause) else None, dialect)
        names = [each.compile(dialect=dialect) for each in types if each]
        yield writer.cast(op, (names[0], before), (names[1], after))
        op.existing_type, op.modify_type, op.modify_server_default = op.modify_type, None, False
        op.existing_server_default = False
        if op.has_changes():
            yield op

    def _schema(self, name: str | None) -> str | None:
        return None if name == self._default_schema else name

    def _of_columns(self, columns: Iterable["Column[Any]"]) -> Iterator[EnumType]:
        for column in columns:
            if enum := _enum_of(column.type, self._context.dialect):
                schema, labels = self._schema(enum.schema), tuple(map(str, enum.enums))
                yield EnumType(schema, str(enum.name), labels, is_ours=enum.create_type)


def _enum_of(type_: TypeEngine[Any], dialect: Dialect) -> postgresql.ENUM | None:
    """Return the enum that a type is on PostgreSQL, or that its arrays are made of."""
    found = type_.dialect_impl(dialect)
    if isinstance(found, TypeDecorator):
        return _enum_of(found.load_dialect_impl(dialect), dialect)
    if isinstance(found, ARRAY):
        return _enum_of(found.item_type, dialect)
    return found if isinstance(found, postgresql.ENUM) else None

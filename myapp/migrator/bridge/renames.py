"""Columns that may have been renamed: a table lacks one, and has another instead."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext

from .operations import table_of


@dataclass(frozen=True)
class Rename:
    """A removed and an added column of one table, in the operations of `script`."""

    script: MigrationScript
    removed: ops.DropColumnOp
    added: ops.AddColumnOp
    #: The change that makes one of the other, besides the name.
    change: ops.AlterColumnOp

    @property
    def table(self) -> str:
        """The table, with its schema if it has one."""
        return table_of(self.removed)

    @property
    def old(self) -> str:
        """The name in the database, without the table."""
        return self.removed.column_name

    @property
    def new(self) -> str:
        """The name in the models, without the table."""
        return self.added.column.name

    @property
    def names(self) -> tuple[str, str]:
        """Both columns, with their table."""
        return f"{self.table}.{self.old}", f"{self.table}.{self.new}"

    @property
    def as_typed(self) -> str:
        """What `--rename` takes for it."""
        return f"{self.table}.{self.old}:{self.new}"

    @property
    def has_same_type(self) -> bool:
        """Whether both columns have one type, as Alembic compares them."""
        return self.change.modify_type is None

    @property
    def is_open(self) -> bool:
        """Whether neither column belongs to a rename that has been applied."""
        tables = [each for held in self.script.upgrade_ops_list for each in self._tables(held)]
        return any(self.added in each.ops and self.removed in each.ops for each in tables)

    def apply(self) -> None:
        """Put the rename into the script, in place of the two columns."""
        upgrade, downgrade = self._both_ways()
        # With several databases, each has a list of its own.
        lists = zip(self.script.upgrade_ops_list, self.script.downgrade_ops_list, strict=False)
        for forth, back in lists:
            for each in self._tables(forth):
                if self.added in each.ops:
                    each.ops[:] = [op for op in each.ops if op not in (self.added, self.removed)]
                    self._put_first(forth, upgrade)
                    self._turn_back(back, downgrade)

    def _turn_back(self, container: ops.OpContainer, downgrade: ops.AlterColumnOp) -> None:
        for each in self._tables(container):
            added = self._columns(each, ops.AddColumnOp, self.old)
            removed = self._columns(each, ops.DropColumnOp, self.new)
            if added and removed:
                each.ops[:] = [op for op in each.ops if op not in (added[0], removed[0])]
                self._put_first(container, downgrade)

    def _put_first(self, container: ops.OpContainer, rename: ops.AlterColumnOp) -> None:
        """Put `rename` before all that knows the new name only, such as another table's key.

        In one batch with it, an index on the renamed column would not find it.
        """
        table = ops.ModifyTableOps(self.removed.table_name, [rename], schema=self.removed.schema)
        container.ops.insert(0, table)

    def _both_ways(self) -> tuple[ops.AlterColumnOp, ops.AlterColumnOp]:
        upgrade, downgrade = self.change, self.change.reverse()
        upgrade.modify_name = self.new
        downgrade.column_name, downgrade.modify_name = self.new, self.old
        return upgrade, downgrade

    def _tables(self, container: ops.OpContainer) -> list[ops.ModifyTableOps]:
        return [
            each
            for each in container.ops
            if isinstance(each, ops.ModifyTableOps) and table_of(each) == self.table
        ]

    def _columns(self, table: ops.ModifyTableOps, kind: type[Any], name: str) -> list[Any]:
        found = [each for each in table.ops if isinstance(each, kind)]
        return [each for each in found if _column_name(each) == name]


def possible_renames(
    script: MigrationScript, migration_context: MigrationContext
) -> Iterator[Rename]:
    """Yield each pair of a removed and an added column of one table.

    `migration_context` is that of the comparison that has just found them.
    """
    context = AutogenContext(migration_context, autogenerate=True)
    dialect = migration_context.dialect.name
    compare = context.comparators.dispatch("column", qualifier=dialect)
    for table in script.upgrade_ops_list[-1].ops:
        if not isinstance(table, ops.ModifyTableOps):
            continue
        removed = [each for each in table.ops if isinstance(each, ops.DropColumnOp)]
        removed.sort(key=lambda each: each.column_name)  # Alembic's order is any
        added = [each for each in table.ops if isinstance(each, ops.AddColumnOp)]
        for old in removed:
            for new in added:
                change = ops.AlterColumnOp(table.table_name, old.column_name, schema=table.schema)
                args = (table.schema, table.table_name, old.column_name, old.to_column())
                compare(context, change, *args, new.column)
                yield Rename(script, old, new, change)


def _column_name(operation: ops.AddColumnOp | ops.DropColumnOp) -> str:
    return (
        operation.column.name if isinstance(operation, ops.AddColumnOp) else operation.column_name
    )

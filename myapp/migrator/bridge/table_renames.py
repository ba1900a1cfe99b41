"""Tables that may have been renamed: one is gone, and another one has the same columns."""

from collections.abc import Iterator
from dataclasses import dataclass

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext

from .operations import table_of


class RenamedTableOp(ops.RenameTableOp):
    """Alembic has no function that writes its own RenameTableOp to a file."""


@renderers.dispatch_for(RenamedTableOp)
def _render(context: AutogenContext, operation: RenamedTableOp) -> str:
    prefix = context.opts["alembic_module_prefix"] or ""
    names = f"{str(operation.table_name)!r}, {str(operation.new_table_name)!r}"
    schema = f", schema={str(operation.schema)!r}" if operation.schema else ""
    return f"{prefix}rename_table({names}{schema})"


@dataclass(frozen=True)
class TableRename:
    """A removed and an added table of one schema, in the operations of `script`."""

    script: MigrationScript
    removed: ops.DropTableOp
    added: ops.CreateTableOp
    #: What else changes in the columns.
    changes: tuple[ops.AlterColumnOp, ...]

    @property
    def names(self) -> tuple[str, str]:
        """The table in the database and that of the models, with their schema."""
        return table_of(self.removed), table_of(self.added)

    @property
    def as_typed(self) -> str:
        """What `--rename` takes for it."""
        return f"{table_of(self.removed)}:{self.added.table_name}"

    @property
    def has_same_type(self) -> bool:
        """Whether all columns keep their types, as Alembic compares them."""
        return all(each.modify_type is None for each in self.changes)

    @property
    def is_open(self) -> bool:
        """Whether neither table belongs to a rename that has been applied."""
        lists = self.script.upgrade_ops_list
        return any(self.added in each.ops and self.removed in each.ops for each in lists)

    def apply(self) -> None:
        """Put the rename into the script, in place of the two tables."""
        old, new = self.removed.table_name, self.added.table_name
        lists = zip(self.script.upgrade_ops_list, self.script.downgrade_ops_list, strict=False)
        for forth, back in lists:
            if self.added in forth.ops:
                self._put(forth, old, new, self.changes)
                self._put(back, new, old, tuple(each.reverse() for each in self.changes))

    def _put(
        self, container: ops.OpContainer, old: str, new: str, changes: tuple[ops.AlterColumnOp, ...]
    ) -> None:
        """Let `container` rename the table first. What it does to it then knows the new name."""
        schema = self.removed.schema
        kept = [each for each in container.ops if not self._is_whole(each, old, new)]
        for each in kept:
            if isinstance(each, ops.ModifyTableOps) and (each.table_name, each.schema) == (
                old,
                schema,
            ):
                each.table_name = new
                for one in each.ops:
                    vars(one)["table_name"] = new
        for change in changes:
            change.table_name = new
        rename = RenamedTableOp(old, new, schema=schema)
        changed = [ops.ModifyTableOps(new, changes, schema=schema)] if changes else []
        container.ops[:] = [rename, *changed, *kept]

    def _is_whole(self, operation: ops.MigrateOperation, old: str, new: str) -> bool:
        """Tell whether `operation` removes the table `old`, or makes `new`."""
        if getattr(operation, "schema", None) != self.removed.schema:
            return False
        return (isinstance(operation, ops.DropTableOp) and operation.table_name == old) or (
            isinstance(operation, ops.CreateTableOp) and operation.table_name == new
        )


def possible_table_renames(
    script: MigrationScript, migration_context: MigrationContext
) -> Iterator[TableRename]:
    """Yield each pair of a removed and an added table with columns of the same names.

    `migration_context` is that of the comparison that has just found them.
    """
    found = script.upgrade_ops_list[-1].ops
    removed = [each for each in found if isinstance(each, ops.DropTableOp)]
    removed.sort(key=lambda each: each.table_name)  # Alembic's order is any
    added = [each for each in found if isinstance(each, ops.CreateTableOp)]
    for old in removed:
        for new in added:
            changes = _changes(old, new, migration_context) if old.schema == new.schema else None
            if changes is not None:
                yield TableRename(script, old, new, changes)


def _changes(
    old: ops.DropTableOp, new: ops.CreateTableOp, migration_context: MigrationContext
) -> tuple[ops.AlterColumnOp, ...] | None:
    """Return how the columns differ; None if they don't have the same names."""
    before, after = old.to_table(migration_context).columns, new.to_table(migration_context).columns
    if set(before.keys()) != set(after.keys()):
        return None
    context = AutogenContext(migration_context, autogenerate=True)
    dialect = migration_context.dialect.name
    compare = context.comparators.dispatch("column", qualifier=dialect)
    changes = []
    for name, column in before.items():
        change = ops.AlterColumnOp(old.table_name, name, schema=old.schema)
        args = (old.schema, old.table_name, name, column, after[name])
        compare(context, change, *args)
        changes += [change] if change.has_changes() else []
    return tuple(changes)

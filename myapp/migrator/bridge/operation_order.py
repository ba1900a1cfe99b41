"""Put what Alembic takes from sets, and so in any order, into one that can be run."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult

#: Schema and name of a table.
_Key = tuple[str, str]


def setup(plugin: Plugin) -> None:
    """Register the ordering with Alembic, after its own comparison of tables."""
    plugin.add_autogenerate_comparator(_put_in_order, "schema", "order")


def _put_in_order(
    autogen_context: AutogenContext, upgrade_ops: ops.UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    dropped = {_key(op): op for op in upgrade_ops.ops if isinstance(op, ops.DropTableOp)}
    of_dropped: dict[_Key, list[ops.MigrateOperation]] = {key: [] for key in dropped}
    others: list[ops.MigrateOperation] = []
    for op in upgrade_ops.ops:
        kept = others
        if isinstance(op, ops.ModifyTableOps | ops.DropTableOp):
            kept = of_dropped.get(_key(op), others)
        if isinstance(op, ops.ModifyTableOps):
            op.ops.sort(key=_dropped_column)
        kept.append(op)
    # A table that stays may have a key to one that goes, and loses that first.
    ordered = [*others, *(op for key in _children_first(dropped) for op in of_dropped[key])]
    upgrade_ops.ops = [*_replaced_indexes(ordered), *ordered]
    return PriorityDispatchResult.CONTINUE


def _replaced_indexes(operations: Iterable[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Take out the drops of indexes whose names another table's get: they have to come first."""
    changes = [each for each in operations if isinstance(each, ops.ModifyTableOps)]
    made = {
        one.index_name: each
        for each in changes
        for one in each.ops
        if isinstance(one, ops.CreateIndexOp)
    }
    taken: list[ops.MigrateOperation] = []
    for each in changes:
        drops = [
            one
            for one in each.ops
            if isinstance(one, ops.DropIndexOp) and made.get(one.index_name, each) is not each
        ]
        if drops:
            each.ops[:] = [one for one in each.ops if one not in drops]
            taken.append(ops.ModifyTableOps(each.table_name, drops, schema=each.schema))
    return taken


def _key(op: ops.ModifyTableOps | ops.DropTableOp) -> _Key:
    return op.schema or "", op.table_name


def _dropped_column(op: ops.MigrateOperation) -> str:
    """Return what sorts dropped columns, the last operations of a table, by name."""
    return op.column_name if isinstance(op, ops.DropColumnOp) else ""


def _children_first(dropped: Mapping[_Key, ops.DropTableOp]) -> list[_Key]:
    parents: dict[_Key, list[_Key]] = {key: [] for key in sorted(dropped)}
    for key in parents:
        for reference in dropped[key].to_table().foreign_keys:
            schema, _, name = reference.target_fullname.rpartition(".")[0].rpartition(".")
            if (schema, name) in parents and (schema, name) != key:
                parents[key].append((schema, name))
    try:
        return list(TopologicalSorter(parents).static_order())[::-1]
    except CycleError:
        return list(parents)

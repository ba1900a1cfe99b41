"""Compare check constraints by name: correct what Alembic's plugin for them finds."""

from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import CheckConstraint, Table
from sqlalchemy.schema import CreateTable


def setup(plugin: Plugin) -> None:
    """Register the correction with Alembic."""
    plugin.add_autogenerate_comparator(
        _correct, "table", "corrected_checks", priority=DispatchPriority.LAST
    )


def _correct(
    autogen_context: AutogenContext,
    modify_table_ops: ops.ModifyTableOps,
    schema: str | None,
    table_name: str,
    found: Table | None,
    wanted: Table | None,
) -> PriorityDispatchResult:
    """Take out what is no difference: names that PostgreSQL has made up, and what isn't created."""
    if found is None or wanted is None:
        return PriorityDispatchResult.CONTINUE
    unnamed = sum(1 for each in _checks(wanted) if not isinstance(each.name, str))
    kept: list[ops.MigrateOperation] = []
    for op in modify_table_ops.ops:
        if isinstance(op, ops.DropConstraintOp) and op.constraint_type == "check":
            if unnamed and _is_made_up(str(op.constraint_name), table_name):
                unnamed -= 1
                continue
        elif isinstance(op, ops.CreateCheckConstraintOp) and not _is_created(
            autogen_context, wanted, str(op.constraint_name)
        ):
            continue
        kept.append(op)
    modify_table_ops.ops = kept
    return PriorityDispatchResult.CONTINUE


def _checks(table: Table) -> set[CheckConstraint]:
    every: set[Any] = set(table.constraints).union(*(each.constraints for each in table.columns))
    return {each for each in every if isinstance(each, CheckConstraint)}


def _is_made_up(name: str, table_name: str) -> bool:
    # Both parts are cut where the whole would be too long.
    return name.rstrip("0123456789").endswith("_check") and name.startswith(table_name[:29])


def _is_created(autogen_context: AutogenContext, table: Table, name: str) -> bool:
    """Tell whether `CREATE TABLE` has this constraint: that of a Boolean is for few databases."""
    sql = str(CreateTable(table).compile(dialect=autogen_context.dialect))
    return f"CONSTRAINT {autogen_context.dialect.identifier_preparer.quote(name)} CHECK" in sql

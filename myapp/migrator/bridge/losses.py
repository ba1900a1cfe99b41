"""What the database holds of the tables and columns that a new revision removes."""

from collections.abc import Iterable

from alembic.operations import ops
from sqlalchemy.engine import Connection

from ..base.losses import Drop, Loss
from ..database.loss_counts import counted
from .operations import described


class Losses:
    """Counts what operations would remove."""

    def __init__(self) -> None:
        self._found: dict[int, Loss | None] = {}
        self._kept: list[ops.MigrateOperation] = []  # so that no id is given twice

    def look(self, operations: Iterable[ops.MigrateOperation], connection: Connection) -> None:
        """Count what those of `operations` remove that are new."""
        for each in operations:
            drop = _drop_of(each)
            if drop is not None and id(each) not in self._found:
                self._kept.append(each)
                self._found[id(each)] = counted(connection, drop)

    def described(self, operation: ops.MigrateOperation) -> str | None:
        """Return what `operation` removes, None where no data goes."""
        drop = _drop_of(operation)
        if drop is None:
            return None
        loss = self._found.get(id(operation)) or Loss(drop, "")
        return None if loss.number == 0 else f"{described(operation)[0]}{loss.what_goes}"


def _drop_of(operation: ops.MigrateOperation) -> Drop | None:
    if isinstance(operation, ops.DropTableOp):
        return Drop("table", operation.table_name, None, operation.schema)
    if isinstance(operation, ops.DropColumnOp):
        return Drop("column", operation.table_name, operation.column_name, operation.schema)
    return None

"""What the database holds of the tables and columns that a new revision removes."""

from collections.abc import Iterable

from alembic.operations import ops
from sqlalchemy.engine import Connection

from ..database.row_counts import RowCount, count_rows
from .operations import described


class Losses:
    """Counts what operations would remove."""

    def __init__(self) -> None:
        self._found: dict[int, RowCount | None] = {}
        self._kept: list[ops.MigrateOperation] = []  # so that no id is given twice

    def look(self, operations: Iterable[ops.MigrateOperation], connection: Connection) -> None:
        """Count what those of `operations` remove that are new."""
        for each in operations:
            if id(each) in self._found:
                continue
            if isinstance(each, ops.DropTableOp):
                found = count_rows(connection, each.table_name, None, each.schema)
            elif isinstance(each, ops.DropColumnOp):
                found = count_rows(connection, each.table_name, each.column_name, each.schema)
            else:
                continue
            self._kept.append(each)
            self._found[id(each)] = found

    def described(self, operation: ops.MigrateOperation) -> str | None:
        """Return what `operation` removes, None where no data goes."""
        if not isinstance(operation, ops.DropTableOp | ops.DropColumnOp):
            return None
        count = self._found.get(id(operation))
        if count is not None and not count.number:
            return None
        thing = "row" if isinstance(operation, ops.DropTableOp) else "value"
        return f"{described(operation)[0]}: {_what_goes(count, thing)}"


def _what_goes(count: RowCount | None, thing: str) -> str:
    if count is None:
        return f"its {thing}s go"
    if count.is_estimate:
        return f"about {count.number:,} {thing}s go"
    return f"its {thing} goes" if count.number == 1 else f"its {count.number:,} {thing}s go"

"""What `repair` returns: what was wrong with the version tables, and what says it now."""

from dataclasses import dataclass
from typing import Literal

#: What is wrong with a row of the version table.
RowFault = Literal["null", "empty", "blanks", "twice", "implied"]


@dataclass(frozen=True)
class RowRepair:
    """A row of the version table that is wrong; None stands for NULL.

    `instead` is the row that says it afterwards, if one does.
    """

    row: str | None
    reason: RowFault
    instead: str | None = None


@dataclass(frozen=True)
class TableRepair:
    """What has to be written to a version table, and the rows before and after it.

    `widths` are the characters that its column takes and has to take, None where that is right.
    `is_padded`: its type adds blanks to each id.
    """

    table: str
    before: tuple[str | None, ...]
    after: tuple[str, ...]
    rows: tuple[RowRepair, ...]
    widths: tuple[int, int] | None = None
    is_padded: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether something has to be written."""
        return bool(self.rows or self.widths)


@dataclass(frozen=True)
class Repair:
    """What `repair` writes, or has written, to each version table."""

    tables: tuple[TableRepair, ...]

    @property
    def is_needed(self) -> bool:
        """Whether something has to be written."""
        return any(each.is_needed for each in self.tables)

"""What a failed revision may have left in the database, and how to say so."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..database.invalid_indexes import InvalidIndex


@dataclass(frozen=True)
class Leftovers:
    """What is known to stay of the revision `revision`. The list may not be complete.

    `committed` are the first statements that are known to stay, and `more` says how many followed.
    `invalid` are the indexes that it left invalid, or would take for its own; None where that isn't
    known. `why` says why more may stay.
    """

    revision: str
    committed: Sequence[str] = field(default=())
    more: int = 0
    invalid: Sequence[InvalidIndex] | None = field(default=())
    why: str = ""

    @property
    def are_known(self) -> bool:
        """Whether something is known to stay, and doesn't only seem possible."""
        return bool(self.committed or self.invalid)

    @property
    def details(self) -> dict[str, Any]:
        """The same, as details of an error."""
        return {
            "committed": list(self.committed),
            "more_committed": self.more,
            "invalid_indexes": None
            if self.invalid is None
            else [index.name for index in self.invalid],
        }

    def __str__(self) -> str:
        told = f" Of {self.revision}, something may stay: {self.why}."
        if self.committed:
            more = f"\n  and {self.more} more" if self.more else ""
            listed = "".join(f"\n  {statement}" for statement in self.committed)
            told = (
                f" Of {self.revision}, this was committed and stays:{listed}{more}"
                "\nThe list may not be complete."
            )
        elif self.invalid:
            told = ""
        if self.invalid is None:
            told += "\nWhether it has left an invalid index isn't known: the server can't be asked."
        elif self.invalid:
            names = ", ".join(index.name for index in self.invalid)
            told += f"\nLeft invalid, so that no query uses it: index {names}."
        return told

    def todo(self, path: str) -> list[str]:
        """Return what to do before the revision at `path` runs again."""
        todo = [f"run `{index.removal}`" for index in self.invalid or ()]
        if self.committed:
            todo.append(f"undo by hand what was committed, or let {path} skip it")
        elif not self.invalid:
            todo.append(f"look what {path} has left, and undo that by hand")
        return todo

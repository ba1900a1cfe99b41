"""What is typed for a revision, or for a range of them, taken apart."""

import re
from dataclasses import dataclass
from typing import Self

# As Alembic's `_relative_destination`, which only has to match the beginning.
_RELATIVE = re.compile(r"(?:(?P<branch>.+?)@)?(?P<name>\w+)?(?P<steps>[+-]\d+)")


@dataclass(frozen=True, slots=True)
class Target:
    """One revision: `NAME`, `BRANCH@NAME`, or either with steps, as `NAME+2`, `-1`, `BRANCH@+1`."""

    #: What stands before `@`.
    branch: str | None
    #: An id or its first characters, a label, or a symbol such as `head`.
    name: str
    #: How far to go from there, such as `+2`. Without a name, the start is the database's revision.
    steps: str | None = None
    #: What follows the steps. Alembic overlooks it.
    trailing: str = ""

    @classmethod
    def parse(cls, typed: str) -> Self:
        """Take apart what was typed; whether there is such a revision isn't looked at."""
        match = _RELATIVE.match(typed)
        if match and match.end() == len(typed):
            return cls(match["branch"], match["name"] or "", match["steps"])
        branch, at, name = typed.rpartition("@")
        return cls(branch if at else None, name, None, typed[match.end() :] if match else "")

    @property
    def start(self) -> str:
        """What was typed before the steps."""
        return self.name if self.branch is None else f"{self.branch}@{self.name}"

    @property
    def count(self) -> int:
        """How many revisions to go up, or down where it is below zero."""
        return int(self.steps or 0)

    @property
    def is_from_database(self) -> bool:
        """Whether the steps begin where the database stands."""
        return self.steps is not None and not self.name


@dataclass(frozen=True, slots=True)
class Range:
    """`START:END`; either may be empty."""

    start: str
    end: str

    @classmethod
    def parse(cls, typed: str) -> Self | None:
        """Take apart what was typed; None where that is no range, which has one colon."""
        start, colon, end = typed.partition(":")
        return cls(start, end) if colon and ":" not in end else None

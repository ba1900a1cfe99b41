"""How a database differs from what its revisions say: plain values."""

from dataclasses import dataclass
from typing import Literal

from .results import VersionTable

Change = Literal["added", "missing", "changed"]


@dataclass(frozen=True)
class Drifted:
    """One object that differs, and how to bring it back.

    `facts` are those that differ: the name, what the revisions say, and what was found. It is empty
    where the whole object was added, or is missing. `note` says what no statement can do, or what
    is lost by it.
    """

    kind: str
    name: str
    change: Change
    facts: tuple[tuple[str, str | None, str | None], ...]
    statements: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Drift:
    """The differences of one database; `ignored` counts those that `migrate.drift_ignore` names.

    `named_only` are the kinds of objects, and how many there are, that count as the same if their
    names are: what they are made of isn't known.
    """

    table: VersionTable
    standing: str
    differences: tuple[Drifted, ...]
    ignored: int
    named_only: tuple[tuple[str, int], ...] = ()

"""What a revision file says about itself, as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

#: The variables of a revision file that make the graph.
VARIABLES = frozenset({"revision", "down_revision", "branch_labels", "depends_on"})

_ILLEGAL = frozenset("@-+:")


class RevisionFile(NamedTuple):  # made thousands of times, and faster than a dataclass
    """The facts of one revision file, equal to those of Alembic's `Script`.

    Text, a tuple and a list of one are the same to Alembic, as are None and an empty tuple.
    """

    path: str
    revision: str
    down_revision: tuple[str, ...]
    depends_on: tuple[str, ...]
    branch_labels: tuple[str, ...]
    #: As `Script.longdoc`: the docstring without the blanks around it.
    doc: str
    #: Whether running the file does nothing but import, assign literals and define functions.
    #: Any other code can't change these facts, but it can fail.
    inert: bool = True


@dataclass(frozen=True, slots=True)
class Doubt:
    """A file of which only running it can tell what it says, or why it is no revision."""

    path: str
    reason: str


def facts(
    path: str,
    revision: object,
    down_revision: object,
    depends_on: object,
    branch_labels: object,
    doc: str,
    inert: bool = True,
) -> RevisionFile | Doubt:
    """Return the facts, or a doubt where Alembic would refuse them or not take them as they are."""
    if not isinstance(revision, str) or not revision or not _ILLEGAL.isdisjoint(revision):
        return Doubt(path, "the revision id is not plain text")
    down, needs, labels = _names(down_revision), _names(depends_on), _names(branch_labels)
    if down is None or needs is None or labels is None:
        return Doubt(path, "a value is neither text nor several texts")
    if revision in down or revision in needs:
        return Doubt(path, "the revision follows itself")
    return RevisionFile(path, revision, down, needs, labels, doc.strip(), inert)


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else None
    if not isinstance(value, Iterable):
        return None
    names = tuple(value)
    if not all(isinstance(name, str) and name for name in names):
        return None
    return names if len(set(names)) == len(names) else None

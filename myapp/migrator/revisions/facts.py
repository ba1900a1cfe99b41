"""What a revision file says about itself, as plain values."""

import re
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

#: The variables of a revision file that make the graph.
VARIABLES = frozenset({"revision", "down_revision", "branch_labels", "depends_on"})

_ILLEGAL = frozenset("@-+:")
# Alembic 0.1 had the revision id in the file's name alone; Alembic still reads such files.
_LEGACY_FILE_NAME = re.compile(r"([a-f0-9]+)\.py$")


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


@dataclass(frozen=True, slots=True)
class Doubt:
    """A file whose text doesn't tell for certain what it says."""

    path: str
    reason: str
    #: The file, once it has run, where that left a doubt too.
    module: ModuleType | None = None
    #: What the file raised when it ran.
    error: BaseException | None = None


def facts(
    path: str,
    revision: object,
    down_revision: object,
    depends_on: object,
    branch_labels: object,
    doc: str,
) -> RevisionFile | Doubt:
    """Return the facts, or a doubt where Alembic would refuse them or not take them as they are."""
    if not isinstance(revision, str) or not revision or not _ILLEGAL.isdisjoint(revision):
        return Doubt(path, "the revision id is not plain text")
    down, needs, labels = _names(down_revision), _names(depends_on), _names(branch_labels)
    if down is None or needs is None or labels is None:
        return Doubt(path, "a value is neither text nor several texts")
    return RevisionFile(path, revision, down, needs, labels, doc.strip())


def id_in_file_name(path: str) -> str | None:
    """Return the revision id of a file that has no `revision`, where Alembic takes its name."""
    match = _LEGACY_FILE_NAME.match(path.rpartition("/")[2])
    return match[1] if match else None


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else None
    if not isinstance(value, tuple | list):
        return None
    names = tuple(value)
    if not all(isinstance(name, str) and name for name in names):
        return None
    return names if len(set(names)) == len(names) else None

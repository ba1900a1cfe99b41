"""Revision files as plain values, read without running them.

The same files in the same order as Alembic's `ScriptDirectory` loads, and the same facts. A file
whose text leaves doubt of what it says is run, and it alone. None is compiled: whether a file will
do is told when it is to be applied.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from .facts import Doubt, RevisionFile
from .graph import Graph
from .text import read_text

__all__ = [
    "Doubt",
    "Reading",
    "RevisionFile",
    "may_be_named_by",
    "read_revision_file",
    "read_revision_files",
]

_SOURCE = re.compile(r"(?!\.\#|__init__)(.*\.py)$")
_SOURCE_OR_BYTECODE = re.compile(r"(?!\.\#|__init__)(.*\.py)(c|o)?$")


@dataclass(frozen=True)
class Reading:
    """All revision files, in the order in which Alembic loads them."""

    entries: tuple[RevisionFile | Doubt, ...]
    #: What was asked for: the locations, and the two options.
    asked: tuple[tuple[str, ...], bool, bool]
    #: Files that two locations, or two links, lead to. Alembic warns, and loads them once.
    twice: tuple[str, ...]

    #: The files that have run, by path.
    modules: Mapping[str, ModuleType]

    @property
    def certain(self) -> bool:
        """Whether the facts of all files are known."""
        return not any(isinstance(entry, Doubt) for entry in self.entries)

    @cached_property
    def graph(self) -> Graph:
        """The history that they form. Raises AskAlembic when they don't."""
        return Graph(self.files)

    @property
    def files(self) -> tuple[RevisionFile, ...]:
        """The files whose facts are known."""
        return tuple(entry for entry in self.entries if isinstance(entry, RevisionFile))


def read_revision_files(
    locations: Sequence[str | os.PathLike[str]],
    *,
    sourceless: bool = False,
    recursive: bool = False,
    known: Reading | None = None,
) -> Reading:
    """Read the revision files in `locations`, the absolute folders that Alembic is configured with.

    `sourceless` and `recursive` are Alembic's `sourceless` and `recursive_version_locations`.
    `known` is returned where it is the answer to the same question.
    """
    asked = tuple(os.fspath(location) for location in locations), sourceless, recursive
    if known is not None and known.asked == asked:
        return known
    entries: list[RevisionFile | Doubt] = []
    modules: dict[str, ModuleType] = {}
    seen: set[str] = set()
    twice: list[str] = []
    for location in locations:
        for path in _list(os.fspath(location).rstrip("/") or "/", sourceless, recursive):
            if path in seen:
                twice.append(path)
                continue
            seen.add(path)
            if _is_revision(path, sourceless):
                entry = read_revision_file(path)
                entries.append(_run(entry, modules) if isinstance(entry, Doubt) else entry)
    return Reading(tuple(entries), asked, tuple(twice), modules)


def why_not_read(location: str | os.PathLike[str]) -> str | None:
    """Return why a folder can't be listed, None where it can, or is not there."""
    try:
        os.scandir(location).close()
    except FileNotFoundError:
        return None
    except OSError as error:
        return str(error.strerror)
    return None


def may_be_named_by(env_py: str | os.PathLike[str] | None) -> bool:
    """Tell whether an `env.py`, text or bytecode, has to do with which folders are read."""
    if env_py is None:
        return False
    try:
        with open(env_py, "rb") as file:
            return b"version_locations" in file.read()
    except OSError:
        return False


def read_revision_file(path: str) -> RevisionFile | Doubt:
    """Return what the text of one file says."""
    if not path.endswith(".py"):
        return Doubt(path, "bytecode has to be run")
    try:
        source = _contents(path)
    except OSError as error:
        return Doubt(path, f"{type(error).__name__}: {error}")
    read = read_text(path, source)
    if read is None:
        # Its imports take some milliseconds.
        from .syntax import read_syntax

        read = read_syntax(path, source)
    return read


def _run(doubt: Doubt, modules: dict[str, ModuleType]) -> RevisionFile | Doubt:
    from .running import cleared_up  # most histories need none of it

    found, module = cleared_up(doubt)
    if module is not None:
        modules[doubt.path] = module
    return found


def _contents(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        source = os.read(descriptor, size + 1)
    finally:
        os.close(descriptor)
    if len(source) != size:
        raise OSError("is being written")
    return source


def _is_revision(path: str, sourceless: bool) -> bool:
    """Tell whether Alembic takes the file, as `Script._from_path` does."""
    folder, _, name = path.rpartition("/")
    match = (_SOURCE_OR_BYTECODE if sourceless else _SOURCE).match(name)
    if match is None:
        return False
    kind = match[2] if sourceless else None
    if kind is None:
        return True
    if os.path.exists(f"{folder}/{match[1]}"):
        return False
    return not (kind == "o" and os.path.exists(f"{folder}/{match[1]}c"))


def _list(location: str, sourceless: bool, recursive: bool) -> Iterator[str]:
    """Yield the real paths of all files, in the order of `Script._list_py_dir`."""
    for root, folders, names, links in _walk(location):
        if os.path.basename(root).endswith("__pycache__"):
            continue
        real = os.path.realpath(root)
        for name in sorted(names):
            yield os.path.realpath(f"{root}/{name}") if name in links else f"{real}/{name}"
        if sourceless and os.path.isdir(f"{root}/__pycache__"):
            stems = {name.split(".")[0] for name in names}
            for name in os.listdir(f"{root}/__pycache__"):
                if name.split(".")[0] not in stems:
                    yield os.path.realpath(f"{root}/__pycache__/{name}")
        if not recursive:
            break
        folders.sort()


def _walk(folder: str) -> Iterator[tuple[str, list[str], list[str], set[str]]]:
    """Walk as `os.walk` does, and tell which files are links."""
    folders: list[str] = []
    names: list[str] = []
    links: set[str] = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                link = entry.is_symlink()
                # From Python 3.12 on, Alembic walks with `Path.walk`, which takes any link for a
                # file; what lies behind the link isn't walked in either case.
                if entry.is_dir(follow_symlinks=sys.version_info < (3, 12)):
                    folders.append(entry.name)
                else:
                    names.append(entry.name)
                if link:
                    links.add(entry.name)
    except OSError:
        return
    yield folder, folders, names, links
    for name in folders:
        if name not in links:
            yield from _walk(f"{folder}/{name}")

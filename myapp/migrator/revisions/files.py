"""Revision files as plain values, read without running them.

The same files in the same order as Alembic's `ScriptDirectory` loads, and the same facts, or a
doubt, which only running the file clears up. A file that doesn't compile is always a doubt.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source

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
_MAGIC = MAGIC_NUMBER + bytes(4)


@dataclass(frozen=True)
class Reading:
    """All revision files, in the order in which Alembic loads them."""

    entries: tuple[RevisionFile | Doubt, ...]
    #: What was asked for: the locations, and the two options.
    asked: tuple[tuple[str, ...], bool, bool]
    #: Files that two locations, or two links, lead to. Alembic warns, and loads them once.
    twice: tuple[str, ...]

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """The files that have to be run."""
        return tuple(entry for entry in self.entries if isinstance(entry, Doubt))

    @property
    def certain(self) -> bool:
        """Whether Alembic loads all these files without an error, and finds the same facts."""
        return all(isinstance(entry, RevisionFile) and entry.inert for entry in self.entries)

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
    seen: set[str] = set()
    twice: list[str] = []
    for location in locations:
        for path in _list(os.fspath(location).rstrip("/") or "/", sourceless, recursive):
            if path in seen:
                twice.append(path)
                continue
            seen.add(path)
            if _is_revision(path, sourceless):
                entries.append(read_revision_file(path))
    return Reading(tuple(entries), asked, tuple(twice))


def why_not_read(location: str | os.PathLike[str]) -> str | None:
    """Return why a folder can't be listed, None where it can, or is not there."""
    try:
        os.scandir(location).close()
    except FileNotFoundError:
        return None
    except OSError as error:
        return str(error.strerror)
    return None


def may_be_named_by(env_py: str | os.PathLike[str]) -> bool:
    """Tell whether the text of an `env.py` has to do with which folders are read."""
    try:
        with open(env_py, "rb") as file:
            return b"version_locations" in file.read()
    except OSError:
        return False


def read_revision_file(path: str) -> RevisionFile | Doubt:
    """Return what one file says."""
    if not path.endswith(".py"):
        return Doubt(path, "bytecode has to be run")
    try:
        source, status = _contents(path)
        compiled = _is_compiled(path, status)
        if not compiled:
            # As importing it does, and leaves its bytecode for the next time where that is wanted.
            SourceFileLoader("revision", path).get_code("revision")
    except Exception as error:  # noqa: BLE001 # running the file tells it
        return Doubt(path, f"{type(error).__name__}: {error}")
    read = read_text(path, source)
    if read is None:
        # Its imports take some milliseconds.
        from .syntax import read_syntax

        read = read_syntax(path, source)
    return read


def _contents(path: str) -> tuple[bytes, os.stat_result]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        source = os.read(descriptor, status.st_size + 1)
    finally:
        os.close(descriptor)
    if len(source) != status.st_size:
        raise OSError("is being written")
    return source, status


def _is_compiled(path: str, status: os.stat_result) -> bool:
    """Tell whether Python has bytecode of this very file, as it does itself: by time and size."""
    folder, _, name = path.rpartition("/")
    before, after = _bytecode_path(folder)
    try:
        descriptor = os.open(f"{before}{name[:-3]}{after}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        header = os.read(descriptor, 16)
    finally:
        os.close(descriptor)
    return header == b"%b%b%b" % (
        _MAGIC,
        (int(status.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little"),
        (status.st_size & 0xFFFFFFFF).to_bytes(4, "little"),
    )


_bytecode_paths: dict[str, tuple[str, str]] = {}


def _bytecode_path(folder: str) -> tuple[str, str]:
    if folder not in _bytecode_paths:
        before, _, after = cache_from_source(f"{folder}/=.py").rpartition("=")
        _bytecode_paths[folder] = before, after
    return _bytecode_paths[folder]


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

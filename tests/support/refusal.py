"""Bad input: the exact words, the exit status, and that nothing was created or changed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .command import Result, invoke

Files = dict[str, bytes | str | None]


def refused(
    folder: Path,
    returncode: int,
    error: str,
    hint: str | None,
    *args: str | os.PathLike[str],
) -> None:
    """Run the command, and hold it to two lines and to leaving every file in `folder` alone."""
    before = files(folder)
    result = invoke(*args)
    assert result == Result(returncode, "", told(error, hint))
    assert files(folder) == before


def told(error: str, hint: str | None) -> str:
    """Return what stands on standard error."""
    lines = [f"Error: {error}"] + ([f"Hint:  {hint}"] if hint else [])
    return "".join(line.replace("\n", "\n       ") + "\n" for line in lines)


def files(folder: Path) -> Files:
    """Return what stands in `folder`, except for what Python compiles by itself."""
    found: Files = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" not in path.parts:
            content = os.readlink(path) if path.is_symlink() else None
            found[str(path.relative_to(folder))] = path.read_bytes() if path.is_file() else content
    return found


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Let nobody write `path` within."""
    return _with_mode(path, 0o555)


@contextmanager
def without_modes(path: Path) -> Iterator[None]:
    """Let nobody read or write `path` within."""
    return _with_mode(path, 0o000)


def _with_mode(path: Path, mode: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)

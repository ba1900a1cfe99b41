"""Files that are replaced whole, or not at all."""

import os
import tempfile
from pathlib import Path

from ..migrator.base.errors import UsageError


def require_writable(path: Path) -> None:
    """Raise UsageError where no file can be written beside `path`, before the work begins."""
    try:
        with tempfile.TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def write_whole(path: Path, content: bytes | str) -> None:
    """Write the file all at once: a reader finds the old one or the new one."""
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path} can't be written: {error.strerror}.",
        hint="name a file in a folder that is there, and that this user may write to.",
    )

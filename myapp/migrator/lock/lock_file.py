"""A lock file. It is opened once, never through a link, and written by its descriptor."""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

# Someone could put a link to another file there, or a pipe, which would block.
_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
#: The most bytes that are read. A longer file was written by something else.
_LONGEST = 4096
#: How often a file that was deleted meanwhile is opened again.
_TRIES = 100


class LockFile:
    """The file at `path`, open and locked.

    The lock is the kernel's `flock`. A process that may only read the file can hold it too, and it
    ends with its holder. A holder deletes the file at the end, so `lock` checks that the file it
    has locked is still the one at `path`.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._identity = _identity(os.fstat(descriptor))

    @classmethod
    def lock(cls, path: Path, database: str) -> "LockFile | None":
        """Return the locked file, None when another process has locked it.

        A new file gets the modes of the file `database`, so that whoever may write the database
        can take the lock.

        Raises OSError when it can't be opened or locked.
        """
        for _ in range(_TRIES):
            file = cls(path, _opened(path, database))
            try:
                fcntl.flock(file._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return None
            except BaseException:
                file.close()
                raise
            # A file that can't be written would go on naming an earlier holder: delete it.
            if file.is_in_place() and (file._is_written() or not file.remove()):
                return file
            file.close()  # it has been deleted: take a new one
        return None

    def is_in_place(self) -> bool:
        """Tell whether the file at its path is still this one."""
        try:
            return _identity(self._path.lstat()) == self._identity
        except OSError:
            return False

    def write(self, text: str) -> None:
        """Replace the content. A failure is ignored, since the lock holds all the same.

        A file that has a second name is left alone, since it may be another program's.
        """
        with suppress(OSError):
            if os.fstat(self._descriptor).st_nlink == 1:
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, text.encode(), 0)

    def remove(self) -> bool:
        """Delete the file, if this user may. Only the holder calls this, before `close`."""
        with suppress(OSError):
            if self.is_in_place():
                self._path.unlink()
                return True
        return False

    def _is_written(self) -> bool:
        return fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR

    def close(self) -> None:
        """Close the file, which frees the lock."""
        os.close(self._descriptor)


def read(path: Path) -> str:
    """Return the content of the lock file at `path`.

    Raises OSError when it can't be read, ValueError when it isn't text.
    """
    descriptor = os.open(path, os.O_RDONLY | _SAFELY)
    try:
        return os.read(descriptor, _LONGEST).decode()
    finally:
        os.close(descriptor)


def _opened(path: Path, database: str) -> int:
    """Open the file at `path`, or make it."""
    while True:
        try:
            # Without O_CREAT: in a folder such as /tmp, Linux refuses it for another user's file
            # (fs.protected_regular).
            return _checked(path, os.open(path, os.O_RDWR | _SAFELY))
        except PermissionError:
            return _checked(path, os.open(path, os.O_RDONLY | _SAFELY))
        except FileNotFoundError:
            pass
        with suppress(FileExistsError):  # another process was faster
            descriptor = os.open(path, _NEW | _SAFELY, 0o666)
            _share_as(database, descriptor)
            return descriptor


def _checked(path: Path, descriptor: int) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(0, "it is not a regular file", str(path))


def _share_as(database: str, descriptor: int) -> None:
    """Give a new file the owner and the modes of `database`, as SQLite does with its own."""
    with suppress(OSError):  # there may be no database yet, or this user may not change the modes
        found = os.stat(database)
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & 0o666 | 0o400)
        if os.geteuid() == 0:
            os.fchown(descriptor, found.st_uid, found.st_gid)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino

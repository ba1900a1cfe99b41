"""SQLite: a lock of the operating system on a file beside the database."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import DatabaseUnreachable, LockLost
from .holding import Holder, Lock, wait_for

_SUFFIX = ".migrate-lock"


@contextmanager
def file_lock(
    database: str, application: str, wait: float, notice: Callable[[str], None]
) -> Iterator["HeldFileLock"]:
    """Hold the lock on the SQLite file `database`, waiting for it up to `wait` seconds.

    The lock file goes with the lock. `FileLock` sees to it that who has waited for a file that
    has been deleted takes a new one.

    Raises LockNotObtained, or DatabaseUnreachable when the lock file can't be made.
    """
    path = Path(os.path.realpath(database) + _SUFFIX)
    if not path.parent.is_dir():
        yield HeldFileLock(path)  # there will be no database either, and that will be told
        return
    # Where the file system has no such locks, its substitute would outlive a holder that dies.
    lock = FileLock(path, fallback_to_soft=False)

    def attempt() -> bool:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise DatabaseUnreachable(
                f"The lock file {path} can't be made: {error.strerror}.",
                hint="this user must be able to write the folder of the database.",
            ) from None
        return True

    wait_for(attempt, lambda: _read_holder(path), wait, notice)
    held = HeldFileLock(path)
    try:
        _write_holder(path, application)
        yield held
    finally:
        # Only its holder deletes the file, and only while it holds the lock.
        if held.is_in_place():
            path.unlink(missing_ok=True)
        lock.release()


class HeldFileLock(Lock):
    """The lock file, as it was when the lock was got."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = self._look()

    def require_held(self) -> None:
        """Raise LockLost when the lock file has been deleted or replaced."""
        if not self.is_in_place():
            raise LockLost(
                f"The lock file {self._path} was deleted or replaced while this run held it, so"
                " another run may have started.",
                hint="leave that file alone; run the command again.",
            )

    def is_in_place(self) -> bool:
        """Tell whether the lock file is still the one that was locked."""
        return self._look() == self._identity

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def _write_holder(path: Path, application: str) -> None:
    since = datetime.now().astimezone().isoformat()
    holder = [os.getpid(), application, socket.gethostname(), since]
    path.write_text(json.dumps(holder), encoding="utf-8")


def _read_holder(path: Path) -> Holder | None:
    try:
        pid, application, host, since = json.loads(path.read_text(encoding="utf-8"))
        return Holder(pid, application, host, datetime.fromisoformat(since))
    except (OSError, ValueError):
        return None  # the holder has the lock, and has not written its name yet

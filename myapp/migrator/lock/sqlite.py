"""SQLite: a lock of the operating system on a file beside the database."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection

from ..base.errors import DatabaseUnreachable, LockLost
from ..database.driver import LOCK_SUFFIX
from ..database.url import sqlite_file
from .holding import Holder, Lock, named_holder, told_as, wait_for
from .lock_file import LockFile, read
from .session_settings import execute_aside


@contextmanager
def file_lock(
    database: str, application: str, wait: float, notice: Callable[[str], None]
) -> Iterator[Lock]:
    """Hold the lock on the SQLite file `database`, waiting for it up to `wait` seconds.

    The lock file is deleted at the end.

    Raises LockNotObtained, or DatabaseUnreachable when the lock file can't be made or locked.
    """
    real = os.path.realpath(database)
    path = Path(real + LOCK_SUFFIX)
    if not os.path.isdir(path.parent):
        yield Lock()  # the database can't be opened either, and that error says more
        return
    file: LockFile | None = None

    def attempt() -> bool:
        nonlocal file
        try:
            file = LockFile.lock(path, real)
        except OSError as error:
            raise _unusable(path, error) from None
        return file is not None

    wait_for(attempt, lambda: _read_holder(path), wait, notice)
    assert file is not None  # noqa: S101 - the last attempt was a success
    try:
        yield HeldFileLock(real, path, file, application)
    finally:
        file.remove()
        file.close()


class InMemory(Lock):
    """No lock, for a database in memory: no other run can open it."""

    def is_at(self, connection: Connection) -> bool:
        """Tell whether `connection` has a database in memory."""
        return connection.dialect.name == "sqlite" and opened_file(connection) is None


class HeldFileLock(Lock):
    """The lock on the file `database`, which stands at `path`."""

    def __init__(self, database: str, path: Path, file: LockFile, application: str) -> None:
        self._database = database
        self._path = path
        self._file = file
        self._application = application
        self._since = datetime.now().astimezone().isoformat()
        self.note(None)

    def note(self, revision: str | None) -> None:
        """Write into the lock file who holds it, and that `revision` runs now."""
        name = told_as(self._application, revision)
        self._file.write(json.dumps([os.getpid(), name, socket.gethostname(), self._since]))

    def is_at(self, connection: Connection) -> bool:
        """Tell whether `connection` has opened the same file."""
        return connection.dialect.name == "sqlite" and opened_file(connection) == self._database

    def require_held(self) -> None:
        """Raise LockLost when the lock file has been deleted or replaced."""
        if not self._file.is_in_place():
            raise LockLost(
                f"The lock file {self._path} was deleted or replaced while this run held it, so"
                " another run may have started.",
                hint="leave that file alone; run the command again.",
            )


def opened_file(connection: Connection) -> str | None:
    """Return the real path of the file that an SQLite `connection` has opened.

    None for one in memory, unless that takes the place of a file which is not there yet.
    """
    row = execute_aside(connection, "PRAGMA database_list")
    path = row[2] if row and row[2] else sqlite_file(connection.engine.url)
    return os.path.realpath(path) if path else None


def _unusable(path: Path, error: OSError) -> DatabaseUnreachable:
    if os.path.islink(path):
        return DatabaseUnreachable(
            f"The lock file {path} is a link, and a lock is never written through one.",
            hint="see who has put it there, and delete it.",
            retryable=False,
        )
    if os.path.isfile(path):
        return DatabaseUnreachable(
            f"The lock file {path} can't be used: {error.strerror}.",
            hint="this user must be able to read it, on a file system that has locks; when no run"
            " is alive, it may be deleted.",
            retryable=False,
        )
    return DatabaseUnreachable(
        f"The lock file {path} can't be made: {error.strerror}.",
        hint="this user must be able to write the folder of the database.",
        retryable=False,
    )


def _read_holder(path: Path) -> Holder | None:
    """Return the holder that is written in the lock file, None if it is dead."""
    holder = read_named(path)
    return holder if holder and is_alive(holder) else None


def read_named(path: Path) -> Holder | None:
    """Return the holder that is written in the lock file, None if there is no sensible one.

    This is for messages only. The holder may not have written yet, or may not be able to.
    """
    try:
        match json.loads(read(path)):
            case [int(pid), str(name), str(host), str(since)]:
                holder = named_holder(pid, name, host, datetime.fromisoformat(since))
                return holder if _is_plausible(holder) else None
    except (OSError, ValueError, RecursionError):
        pass
    return None


def _is_plausible(holder: Holder) -> bool:
    assert holder.since is not None  # noqa: S101 - it was read
    return holder.pid > 0 and bool(holder.since.tzinfo) and 2000 <= holder.since.year < 9000


def is_alive(holder: Holder) -> bool:
    """Tell whether `holder` is no name of a dead process, as far as this machine can know."""
    try:
        if holder.host == socket.gethostname():
            os.kill(holder.pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is alive, and belongs to another user
    return True

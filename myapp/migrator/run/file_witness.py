"""SQLite: see by a file's data version whether anything was committed to it.

The version changes when another connection commits
(https://www.sqlite.org/pragma.html#pragma_data_version). So a connection of our own asks, which no
revision can reach.
"""

import os
import sqlite3
from contextlib import closing
from urllib.parse import quote

from sqlalchemy.engine import Connection

from ..base.our_own import connecting_for_ourselves
from .witness import Status, Witness, status_of

# How many seconds a reader waits for another process that has locked the file.
_BUSY_SECONDS = 5.0


class FileWitness(Witness):
    """Watches the files that a connection has open."""

    def __init__(self) -> None:
        self._observers: dict[str, sqlite3.Connection] = {}
        self._before: dict[str, int | None] | None = None
        self._is_clean: bool | None = None
        self._is_early = False  # the version was read before the write lock was taken

    @property
    def files(self) -> frozenset[str]:
        """The files that are watched."""
        return frozenset(self._observers)

    @property
    def why(self) -> str:
        """Why something may stay."""
        return "the file has been changed since it began, by it or by another"

    def begin_revision(self, connection: Connection) -> None:
        """Look at the files, if the revision's transaction has begun."""
        self._before = self._is_clean = None
        self._is_early = False
        if status_of(connection) is Status.OPEN:
            self.begin(connection)

    def begin(self, connection: Connection) -> None:
        """Look at the files, for the first time in this revision."""
        self._is_clean = None if self._is_clean else self._is_clean
        if self._before is None:
            self._is_early = status_of(connection) is not Status.OPEN
            self._look(connection)

    def execute(self, connection: Connection) -> None:
        """Look again once the write lock is held, so that no other process can write."""
        if self._is_early and status_of(connection) is Status.OPEN:
            self._is_early = False
            self._look(connection)

    def raised(self, connection: Connection) -> None:
        """Check that no other file has been attached, and look while the write lock is held."""
        self.rollback(connection, has_raised=True)

    def rollback(self, connection: Connection, *, has_raised: bool) -> None:
        """Look again, if the write lock is still held."""
        if self._before is None or connection.closed or connection.invalidated:
            return
        files = _files(connection)
        if files is None or not files <= self._before.keys():
            self._is_clean = False
        elif has_raised and self._is_clean is None and status_of(connection) is Status.OPEN:
            now = self._versions(set(self._before), 0)
            self._is_clean = None if None in now.values() else now == self._before

    def left_nothing(self, *, is_up: bool) -> bool:
        """Tell whether nothing was committed to the files since the revision began."""
        if self._before is None or None in self._before.values():
            return False
        if self._is_clean is None:
            self._is_clean = self._versions(set(self._before), _BUSY_SECONDS) == self._before
        return self._is_clean

    def close(self) -> None:
        """Close the connections that ask."""
        for observer in self._observers.values():
            observer.close()
        self._observers.clear()

    def _look(self, connection: Connection) -> None:
        files = _files(connection)
        self._before = None if files is None else self._versions(files, 0)

    def _versions(self, files: set[str], seconds: float) -> dict[str, int | None]:
        return {path: self._version(path, seconds) for path in files}

    def _version(self, path: str, seconds: float) -> int | None:
        """Return a file's version, None where it is locked for longer than `seconds` seconds."""
        try:
            if path not in self._observers:
                self._observers[path] = _observer(path)
            observer = self._observers[path]
            observer.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
            row = observer.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None
        return int(row[0])


def _observer(path: str) -> sqlite3.Connection:
    # Not `mode=ro`: in WAL mode, the last connection to close deletes two files, and must be able
    # to write for that.
    with connecting_for_ourselves():
        observer = sqlite3.connect(
            f"file:{quote(path)}?mode=rw", uri=True, timeout=0, check_same_thread=False
        )
    observer.execute("PRAGMA query_only = ON")
    return observer


def _files(connection: Connection) -> set[str] | None:
    """Return the files that `connection` has open, None where one is in memory or unknown."""
    try:
        # One that a signal leaves open lets SQLite interrupt all later statements.
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute("PRAGMA database_list")
            names = {str(name): str(path or "") for _, name, path in cursor.fetchall()}
    except connection.dialect.loaded_dbapi.Error:
        return None
    names.pop("temp", None)
    return set(map(os.path.realpath, names.values())) if all(names.values()) else None

"""See that a revision waits for a lock that it holds itself, on another connection.

It would wait for ever. Another try would come to the same, and nobody else is in the way.
"""

import gc
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import ExceptionContext
from sqlalchemy.engine import Connection

from ..database.blockers import OwnSession
from ..database.failures import BUSY_FILE, error_code
from ..database.listening import listening
from .evidence import Evidence
from .observer import Observer
from .witness import Status, status_of

Function = Callable[..., None]

#: The codes of PostgreSQL's errors that end a wait: a lock timeout, a cancelled statement.
_ENDED_WAITS = {"55P03", "57014"}

#: What is said of it.
TOLD = "It waited for itself: two connections of the revision need the same lock."
#: What to do about it.
CURE = "let the revision do all its work on one connection, `op.get_bind()`"


class SelfBlock:
    """Notices when one connection of a revision waits for another of its own."""

    def __init__(self, observer: Observer, evidence: Evidence, application: str) -> None:
        """`application` is the name that SQLAlchemy's connections get after they are opened."""
        self._observer = observer
        self._evidence = evidence
        self._connection: Connection | None = None
        self._error: BaseException | None = None
        self._application = application
        observer.own_sessions = self._sessions

    def caused(self, error: BaseException) -> bool:
        """Tell whether `error`, of the revision that ran last, comes from such a wait."""
        if error_code(error) in _ENDED_WAITS:
            return self._observer.has_blocked_itself
        return error is self._error

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Look within at the errors of SQLite, while the locks are still held."""
        self._connection = self._error = None
        with listening(handle_error=self._failed):
            yield

    def observed(self, function: Function, connection: Connection) -> Function:
        """Return a revision's `function`, which runs on `connection`, wrapped to see its error."""

        def run(*args: Any, **kwargs: Any) -> None:
            self._connection, self._error = connection, None
            try:
                function(*args, **kwargs)
            except sqlite3.OperationalError as error:  # of a connection without SQLAlchemy
                self._look(error, is_first=False)
                raise

        return run

    def _sessions(self) -> set[OwnSession]:
        opened = self._evidence.sessions()
        return opened | {replace(each, application_name=self._application) for each in opened}

    def _failed(self, context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if error is not None and self._connection is not None:
            self._look(error, is_first=context.connection is self._connection)

    def _look(self, error: BaseException, *, is_first: bool) -> None:
        """Keep `error` if the file is locked by this process.

        `is_first` says whether the revision's own connection has failed, or another.
        """
        first = self._connection
        if error_code(error) != BUSY_FILE or first is None or first.dialect.name != "sqlite":
            return
        if is_first:
            holds = any(_in_transaction(first))
        else:
            # While the first connection is in a transaction, only this process can write.
            is_open = status_of(first) is Status.OPEN
            holds = is_open and self._evidence.has_opened_its_file_twice
        if holds:
            self._error = error


def _in_transaction(first: Connection) -> Iterator[sqlite3.Connection]:
    """Yield the other connections to the same file that are in a transaction.

    Python keeps no list of them, and they take no weak references: ask the garbage collector.
    """
    own = first.connection.driver_connection
    if not isinstance(own, sqlite3.Connection):
        return
    files = _files(own)
    for each in gc.get_objects():
        if issubclass(type(each), sqlite3.Connection) and each is not own:
            with suppress(sqlite3.Error):  # it is closed, or belongs to another thread
                if each.in_transaction and _files(each) & files:
                    yield each


def _files(connection: Any) -> set[str]:
    listed = connection.execute("PRAGMA database_list")
    return {os.path.realpath(path) for _, _, path in listed if path}

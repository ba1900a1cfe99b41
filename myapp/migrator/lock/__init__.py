"""One writer at a time: the lock that a run holds until it ends.

If the holder dies, the server or the kernel frees the lock.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import URL, Connection

from ..base.errors import SettingsError
from ..bridge.connection import opened_engine, opened_url
from ..bridge.context import RunContext
from ..database.url import sqlite_file
from .holding import Lock, NoLock
from .place import elsewhere

__all__ = ["Lock", "writer_lock"]

T = TypeVar("T")


@contextmanager
def writer_lock(context: RunContext, notice: Callable[[str], None]) -> Iterator[Lock]:
    """Hold the lock on each database that `env.py` migrates.

    It is taken on the first one now, waiting for it up to `migrate.lock_wait` seconds, and on any
    other when `env.py` comes there. `notice` is called with a sentence: who holds it, or that this
    kind of database has no lock.

    Raises LockNotObtained, DatabaseUnreachable, or SettingsError when `migrate.lock_url` is wrong
    or the connection goes through a pooler.
    """
    with ExitStack() as stack:
        lock = _Locks(context, notice, stack)
        if url := opened_url(context):
            lock.take(url)
        context.database.stand_at = lock.stand_at
        try:
            yield lock
        finally:
            context.database.stand_at = None


class _Locks(Lock):
    """The locks of one run. The one of the database that is migrated now answers."""

    def __init__(
        self, context: RunContext, notice: Callable[[str], None], stack: ExitStack
    ) -> None:
        self._context = context
        self._notice = notice
        self._stack = stack
        self._held: list[Lock] = []
        self._now: Lock = NoLock(None)
        self._own: set[int] = set()

    def take(self, url: URL, connection: Connection | None = None) -> Lock:
        """Take the lock of the database at `url`, to which `connection` leads if there is one."""
        self._own |= {lock.pid for lock in self._held if lock.pid}
        taken = _lock(self._context, url, connection, self._notice, self._own)
        self._now = self._stack.enter_context(taken)
        self._held.append(self._now)
        return self._now

    def stand_at(self, connection: Connection) -> None:
        """Hold the lock on the database of `connection`, which Alembic is about to migrate.

        Raises what `writer_lock` raises, and LockLost.
        """
        for lock in self._held:
            if lock.is_at(connection):
                self._now = lock
                return
        settings = self._context.settings
        has_one_place = bool(settings.options.lock_url and self._held)
        if has_one_place or not self.take(connection.engine.url, connection).is_at(connection):
            raise elsewhere(settings)

    @property
    def engine(self) -> Engine | None:  # type: ignore[override] # it changes with the database
        """That of the lock of the database that is migrated now."""
        return self._now.engine

    @property
    def has_server(self) -> bool:  # type: ignore[override] # as above
        """Whether the database that is migrated now has a server."""
        return self._now.has_server

    def require_held(self) -> None:
        """Raise LockLost when one of the locks is gone."""
        for lock in self._held:
            lock.require_held()

    def note(self, revision: str | None) -> None:
        """Let others see that `revision` runs now, in the database that is migrated now."""
        self._now.note(revision)

    def join(self, connection: Connection) -> int | None:
        """Make `connection` part of the run. It need not lead to the database that is migrated."""
        pid = self._now.join(connection)
        self._own |= {pid} if pid else set()
        return pid

    def join_transaction(self, connection: Connection) -> int | None:
        """Do what `join` does, for one transaction."""
        return self._now.join_transaction(connection)

    def ask(self, question: Callable[[Connection], T]) -> T | None:
        """Ask beside the migration that runs now."""
        return self._now.ask(question)


def _lock(
    context: RunContext,
    url: URL,
    connection: Connection | None,
    notice: Callable[[str], None],
    own: Collection[int],
) -> AbstractContextManager[Lock]:
    options = context.settings.options
    backend = url.get_backend_name()
    if options.lock_url and backend != "postgresql":
        raise SettingsError(
            f"`migrate.lock_url` is for PostgreSQL, and the database is one of {backend}.",
            hint="take `migrate.lock_url` out of the .ini file.",
        )
    if options.lock_url and options.has_session_lock:
        raise SettingsError(
            "`migrate.lock_url` gives the lock a connection of its own, and with"
            " `migrate.lock = session` it has none.",
            hint="take one of the two out of the .ini file.",
        )
    # Each is imported where it is used: together they take a tenth of a small run's memory.
    if backend == "postgresql" and options.has_session_lock:
        from .session import session_lock

        return session_lock(context, _engine(context, connection), notice)
    if backend == "postgresql":
        from .postgresql import advisory_lock

        return advisory_lock(context, _engine(context, connection), notice, own)
    if backend == "sqlite":
        from .sqlite import InMemory, file_lock, opened_file

        path = sqlite_file(url) if connection is None else opened_file(connection)
        if path is None:
            return nullcontext(InMemory())
        return file_lock(path, context.application, options.lock_wait, notice)
    notice(f"nothing stops a second run: there is no lock for {backend}.")
    return nullcontext(NoLock(url))


def _engine(context: RunContext, connection: Connection | None) -> Engine:
    return opened_engine(context) if connection is None else connection.engine

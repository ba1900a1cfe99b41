"""Connections of this package itself to a PostgreSQL server, opened as `env.py` opens its own."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from ..base.our_own import connecting_for_ourselves

T = TypeVar("T")


class OwnConnection:
    """A connection of an engine that `own_engine` has made; one thread at a time uses it.

    It commits each statement.
    """

    def __init__(self, engine: Engine) -> None:
        """Connect. Raises DBAPIError."""
        self._mutex = threading.Lock()
        self._loop = _Loop() if engine.dialect.is_async else None
        try:
            self._connection: Connection = self._call(engine.connect)
        except BaseException:
            self._end()
            raise
        #: The driver's. It is kept since SQLAlchemy forgets one that is lost.
        self.dbapi_connection: Any = self.ask(lambda asked: asked.connection.dbapi_connection)

    def ask(self, question: Callable[[Connection], T]) -> T:
        """Return what `question` finds out on this connection. Raises what it raises."""
        return self._call(lambda: question(self._connection))

    def renew(self) -> None:
        """Let it connect again where a signal or the server has cut it off, without its locks."""
        if self._connection.invalidated:
            self._call(self._connection.rollback)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed here. One that the server has lost doesn't count."""
        return self._connection.closed

    def close(self) -> None:
        """Close it, which frees the locks of its session."""
        if not self._connection.closed:
            self._call(self._connection.close)
            self._end()

    def _call(self, function: Callable[[], T]) -> T:
        with self._mutex, connecting_for_ourselves():
            return function() if self._loop is None else self._loop.call(function)

    def _end(self) -> None:
        if self._loop is not None:
            self._loop.end()


class _Loop:
    """An event loop in a thread, for a driver that works in no other way."""

    def __init__(self) -> None:
        import asyncio  # few runs need it

        self._asyncio = asyncio
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name="own-connection", daemon=True).start()

    def call(self, function: Callable[[], T]) -> T:
        """Return what `function` returns, which may use connections of an asynchronous driver."""
        from sqlalchemy.util import greenlet_spawn

        waited = self._asyncio.run_coroutine_threadsafe(greenlet_spawn(function), self._loop)
        return waited.result()

    def end(self) -> None:
        """Let the thread end."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        with connecting_for_ourselves():
            self._loop.run_forever()
        self._loop.close()

"""Ctrl-C and SIGTERM while the database works."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection, ExceptionContext

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def cancelling_statements() -> Iterator[None]:
    """Let a signal cancel the statement that runs within, on every engine of this process.

    A driver waits for the database in C, where Python runs no signal handler: a statement that
    waits for a lock would keep Ctrl-C and SIGTERM waiting too. The byte that `signal.set_wakeup_fd`
    writes wakes a thread, and drivers let another thread cancel.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's alone
        return
    canceller = _Canceller()
    waker, sleeper = socket.socketpair()
    waker.setblocking(False)
    thread = threading.Thread(target=canceller.wait, args=(sleeper,), daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    try:
        with canceller.listening():
            yield
    finally:
        signal.set_wakeup_fd(before)
        waker.close()
        thread.join()
        sleeper.close()


class _Canceller:
    def __init__(self) -> None:
        self._working: Any = None

    def wait(self, sleeper: socket.socket) -> None:
        while received := sleeper.recv(1):
            if received[0] in _SIGNALS:
                self._cancel(self._working)

    @contextmanager
    def listening(self) -> Iterator[None]:
        listeners: dict[str, Callable[..., None]] = {
            "before_cursor_execute": self._started,
            "after_cursor_execute": self._ended,
            "handle_error": self._failed,
        }
        for name, listener in listeners.items():
            event.listen(Engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(Engine, name, listener)

    def _started(self, connection: Connection, *_: Any) -> None:
        self._working = connection.connection.driver_connection

    def _ended(self, connection: Connection, *_: Any) -> None:
        self._working = None

    def _failed(self, context: ExceptionContext) -> None:
        self._working = None

    @staticmethod
    def _cancel(working: Any) -> None:
        # psycopg2 and psycopg call it `cancel`, sqlite3 `interrupt`.
        stop = getattr(working, "cancel", None) or getattr(working, "interrupt", None)
        if callable(stop):
            with suppress(Exception):  # the statement has ended, or the connection is gone
                stop()

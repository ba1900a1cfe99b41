"""Stop the statement that runs at this moment, from another thread or a signal."""

import os
import threading
from typing import Any


class Canceller:
    """Knows the connections that a run has opened, and cancels what runs on them.

    A signal's handler is no place for it: Python runs handlers between two bytecodes, and a
    driver that waits for its server is inside one.
    """

    def __init__(self) -> None:
        self._connections: list[Any] = []
        self._lock = threading.Lock()
        self.signal: int | None = None

    def watch(self, dbapi_connection: Any) -> None:
        """Add a driver's connection: one that has `cancel()` or, in sqlite3, `interrupt()`."""
        with self._lock:
            if dbapi_connection not in self._connections:
                self._connections.append(dbapi_connection)

    def received(self, signal: int) -> None:
        """Cancel what runs on the first signal, end the process at once on the second."""
        if self.signal is not None:
            os._exit(128 + signal)
        self.signal = signal
        with self._lock:
            for connection in self._connections:
                cancel = getattr(connection, "cancel", None) or getattr(
                    connection, "interrupt", None
                )
                if cancel and not getattr(connection, "closed", False):
                    cancel()

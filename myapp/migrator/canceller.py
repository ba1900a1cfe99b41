"""Stop the statement that runs at this moment, from another thread."""

import os
import signal
import threading
from contextlib import suppress
from typing import Any

_PATIENCE = 2.0
_ENDED_BY: dict[int, str] = {signal.SIGHUP: "Hung up", signal.SIGTERM: "Terminated"}


def ended_by(number: int) -> str:
    """Return in a word how a signal has ended a run."""
    return _ENDED_BY.get(number, "Interrupted")


class Canceller:
    """Knows the connections that a run has opened, and cancels what runs on them.

    A signal's handler is no place for it: Python runs handlers between two bytecodes, and a
    driver that waits for its server is inside one.
    """

    def __init__(self) -> None:
        # No lock: the handler of a signal may interrupt whoever holds it, and wait for it.
        self._connections: list[Any] = []
        self._done = threading.Event()
        self.signal: int | None = None
        self.is_finished = False

    def watch(self, dbapi_connection: Any) -> None:
        """Add a driver's connection: one that has `cancel()` or, in sqlite3, `interrupt()`."""
        if not any(known is dbapi_connection for known in self._connections):
            self._connections.append(dbapi_connection)

    def received(self, number: int) -> None:
        """Cancel what runs on the first signal, end the process at once on the second.

        A second SIGHUP shows no impatience: the terminal and the shell send one each, and systemd
        sends it after SIGTERM.
        """
        if self.signal is not None:
            if number != signal.SIGHUP:
                os._exit(128 + number)
            return
        self.signal = number
        if self.is_finished:
            return
        for connection in list(self._connections):
            cancel = getattr(connection, "cancel", None) or getattr(connection, "interrupt", None)
            if cancel and not getattr(connection, "closed", False):
                with suppress(Exception):  # the server may refuse; the run then ends by itself
                    cancel()
        self._done.set()

    def check(self) -> None:
        """Raise KeyboardInterrupt where Python has dropped that of a signal.

        It does so within a destructor, and in whatever is called when an object goes.
        """
        if self.signal is not None:
            raise KeyboardInterrupt(self.signal)

    def finish(self) -> None:
        """Take it that all is done: who interrupts now has nothing left to stop."""
        self.is_finished = True

    def wait(self) -> None:
        """Wait until all is cancelled, so that nothing of what comes afterwards is."""
        self._done.wait(_PATIENCE)

"""Stop the statement that runs at this moment, from another thread."""

import os
import signal
import threading
import time
from typing import Any

from .stopping import cancel, cut, is_waiting

_CANCEL_SECONDS = 2.0
#: For how many seconds a server may leave a statement unanswered once a signal has come; and from
#: the first time on that one was cut, since the server is then known to be silent.
_FIRST_SILENCE, _NEXT_SILENCE = 5.0, 1.0
_PAUSE = 0.1
_ENDED_BY: dict[int, str] = {signal.SIGHUP: "Hung up", signal.SIGTERM: "Terminated"}


def ended_by(number: int) -> str:
    """Return in a word how a signal has ended a run."""
    return _ENDED_BY.get(number, "Interrupted")


class Canceller:
    """Knows the connections that a run has opened, and cancels what runs on them.

    A signal's handler is no place for it: Python runs handlers between two bytecodes, and a
    driver that waits for its server is inside one. Nor is the thread that hears of signals, which
    has to hear the second one too.
    """

    def __init__(self) -> None:
        # No lock: the handler of a signal may interrupt whoever holds it, and wait for it.
        self._connections: list[Any] = []
        self._heard = threading.Event()
        self._done = threading.Event()
        self.signal: int | None = None
        self.is_finished = False

    def add(self, dbapi_connection: Any) -> None:
        """Add a driver's connection: one that has `cancel()` or, in sqlite3, `interrupt()`."""
        known = [each for each in self._connections if not getattr(each, "closed", False)]
        if not any(each is dbapi_connection for each in known):
            known.append(dbapi_connection)
        self._connections = known

    def received(self, number: int) -> None:
        """Have all cancelled on the first signal, end the process at once on the second.

        A second SIGHUP shows no impatience: the terminal and the shell send one each, and systemd
        sends it after SIGTERM.
        """
        if self.signal is not None:
            if number != signal.SIGHUP:
                os._exit(128 + number)
            return
        self.signal = number
        self._heard.set()

    def work(self) -> None:
        """Wait for a signal, cancel, and then cut what a silent server leaves unanswered.

        Returns when all is done; a thread of its own has to call it.
        """
        self._heard.wait()
        if self.is_finished:
            return
        cancel(self._connections, _CANCEL_SECONDS)
        self._done.set()
        seconds = _FIRST_SILENCE
        since: dict[int, float] = {}
        while not self.is_finished:
            now = time.monotonic()
            since = {id(c): since.get(id(c), now) for c in self._connections if is_waiting(c)}
            for connection in self._connections:
                if now - since.get(id(connection), now) >= seconds:
                    cut(connection)
                    seconds = _NEXT_SILENCE
            time.sleep(_PAUSE)

    def check(self) -> None:
        """Raise KeyboardInterrupt where Python has dropped that of a signal.

        It does so within a destructor, and in whatever is called when an object goes.
        """
        if self.signal is not None:
            raise KeyboardInterrupt(self.signal)

    def finish(self) -> None:
        """Take it that all is done: who interrupts now has nothing left to stop."""
        self.is_finished = True

    def close(self) -> None:
        """Let `work` return."""
        self.finish()
        self._heard.set()

    def wait(self) -> None:
        """Wait until all is cancelled, so that nothing of what comes afterwards is."""
        self._done.wait(_CANCEL_SECONDS)

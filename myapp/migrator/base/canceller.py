"""Cancel the statement that runs now, from another thread."""

import os
import signal
import threading
import time
from typing import Any

from .stopping import cancel, cut, is_waiting

_CANCEL_SECONDS = 2.0
#: After a signal, a server has this many seconds to answer. The second figure holds once a
#: connection has been cut, since the server is then known to be silent.
_FIRST_SILENCE, _NEXT_SILENCE = 5.0, 1.0
_PAUSE = 0.1
_ENDED_BY: dict[int, str] = {signal.SIGHUP: "Hung up", signal.SIGTERM: "Terminated"}


def ended_by(number: int) -> str:
    """Return the word for how this signal ended a run."""
    return _ENDED_BY.get(number, "Interrupted")


class Canceller:
    """Knows the connections that a run has opened, and cancels what runs on them.

    A signal handler can't do it: Python runs handlers between two bytecodes, and a driver that
    waits for its server is inside one. The thread that hears of signals can't do it either: it
    has to stay free for the second signal.
    """

    def __init__(self) -> None:
        # No lock is used: a signal handler could interrupt the holder, and wait for it for ever.
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
        """Cancel all at the first signal; end the process at the second.

        A second SIGHUP is ignored: the terminal and the shell send one each, and systemd sends
        one after SIGTERM.
        """
        if self.signal is not None:
            if number != signal.SIGHUP:
                os._exit(128 + number)
            return
        self.signal = number
        self._heard.set()

    def work(self) -> None:
        """Wait for a signal, cancel, and then cut the connections of a server that is silent.

        Run it in a thread of its own. It returns after `close`.
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
        """Raise KeyboardInterrupt if a signal has come.

        Python drops the KeyboardInterrupt that a handler raises during a destructor.
        """
        if self.signal is not None:
            raise KeyboardInterrupt(self.signal)

    def finish(self) -> None:
        """Mark the work as finished; later signals are ignored."""
        self.is_finished = True

    def go_on(self) -> None:
        """Take note that more work follows what was finished; signals are heard again."""
        self.is_finished = False

    def close(self) -> None:
        """Let `work` return."""
        self.finish()
        self._heard.set()

    def wait(self) -> None:
        """Wait until all is cancelled, so that no later statement is cancelled by mistake."""
        self._done.wait(_CANCEL_SECONDS)

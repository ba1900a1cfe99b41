"""Give up on a server that doesn't answer a statement."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..base.errors import DatabaseUnreachable
from ..base.stopping import cancel, cut, is_waiting

_PAUSE = 0.1
#: How many seconds a silent server has to cancel the statement.
_TO_CANCEL = 0.5


class Silence:
    """Gives up on connections that wait for longer than `seconds` for one answer.

    `is_over` is whether that has happened. Use it only where each statement is short.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.is_over = False
        self._connections: list[Any] = []
        self._stopped = threading.Event()

    def add(self, dbapi_connection: Any) -> None:
        """Add a driver's connection."""
        self._connections.append(dbapi_connection)

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Cancel in a thread, within, what waits for too long."""
        threading.Thread(target=self._cut_the_late, name="silence", daemon=True).start()
        try:
            yield
        finally:
            self._stopped.set()

    def error(self, blocked: str = "") -> DatabaseUnreachable:
        """Return the error of a server that doesn't answer. `blocked` says who blocks, if known."""
        return DatabaseUnreachable(
            "The database can't be used: the server did not answer within"
            f" {round(self.seconds, 1):g} s.{blocked}",
            hint="is the server, or a pooler before it, stopped, overloaded, or short of"
            " connections?",
            retryable=True,
        )

    def _cut_the_late(self) -> None:
        since: dict[int, float] = {}
        while not self._stopped.wait(_PAUSE):
            now = time.monotonic()
            waiting = [each for each in self._connections if is_waiting(each)]
            since = {id(each): since.get(id(each), now) for each in waiting}
            late = [each for each in waiting if now - since[id(each)] >= self.seconds]
            if late:
                self.is_over = True
                cancel(late, _TO_CANCEL)
            for connection in late:
                if is_waiting(connection):
                    cut(connection)

"""Waiting: try again after growing, jittered pauses, until the time is up."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_this_thread = local()


def attempts(seconds: float) -> Iterator[bool]:
    """Yield once for each attempt within `seconds`; pause between them. The last yields True.

    There is at least one attempt. The last one comes when the time is up.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while (left := deadline - time.monotonic()) > 0:
        yield False
        time.sleep(min(pause * random.uniform(0.5, 1.5), left))
        pause = min(pause * 2, _LONGEST_PAUSE)
    yield True


class TimeLeft:
    """What is left of `seconds`; None is for ever. The clock starts at the first question."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._deadline: float | None = None

    def left(self, at_least: float) -> float | None:
        """Return what is left, but no less than `at_least`."""
        if self.seconds is None:
            return None
        if self._deadline is None:
            self._deadline = time.monotonic() + self.seconds
        return max(self._deadline - time.monotonic(), at_least)


@contextmanager
def asked_once() -> Iterator[None]:
    """Try each connection that is opened within only once: the caller does the waiting."""
    before = is_waited_for()
    _this_thread.is_waited_for = True
    try:
        yield
    finally:
        _this_thread.is_waited_for = before


def is_waited_for() -> bool:
    """Tell whether this thread tries each connection only once, since its caller waits."""
    return getattr(_this_thread, "is_waited_for", False)

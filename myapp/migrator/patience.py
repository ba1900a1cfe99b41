"""Waiting: try again after growing, jittered pauses, until the time is up."""

import random
import time
from collections.abc import Iterator

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


def attempts(seconds: float) -> Iterator[bool]:
    """Yield for each attempt within `seconds`, with a pause before the next; True for the last.

    There is always one attempt; the last comes when the time is up.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while (left := deadline - time.monotonic()) > 0:
        yield False
        time.sleep(min(pause * random.uniform(0.5, 1.5), left))
        pause = min(pause * 2, _LONGEST_PAUSE)
    yield True

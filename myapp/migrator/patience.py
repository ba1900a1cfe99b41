"""Waiting: try again after growing, jittered pauses, until the time is up."""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from alembic.config import Config

from .config import canceller_of, settings_of, watcher_of
from .errors import DatabaseUnreachable

T = TypeVar("T")

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


def until_up(config: Config, ask: Callable[[], T]) -> T:
    """Return what `ask` returns, once the database is up: `migrate.wait_db` seconds at most.

    Raises DatabaseUnreachable, at once where waiting is of no use.
    """
    told = None
    for is_last in attempts(settings_of(config).options.wait_db):
        try:
            return ask()
        except DatabaseUnreachable as error:
            if is_last or not error.is_passing or canceller_of(config).signal:
                raise
            if error.message != told:
                told = error.message
                watcher_of(config).notice(f"waiting for the database. {told}")
    raise AssertionError("attempts() ends with a last one")

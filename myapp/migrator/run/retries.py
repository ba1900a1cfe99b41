"""Try a revision again after it ran into locks of the application."""

import random
import time
from math import inf

from ..database.failures import RETRYABLE, error_code
from ..settings.options import Options
from .execution import Execution

_FIRST_PAUSE = 0.5
#: The longest pause where tries are counted, and where they are limited by time alone.
_LONGEST_PAUSE, _LONGEST_WITHOUT_COUNT = 15.0, 5.0
#: How often it looks whether a lock is still held, in seconds.
_LOOK = 0.25


class Attempts:
    """Knows how often, and since when, the revision that runs has been tried."""

    def __init__(self, execution: Execution, options: Options) -> None:
        self._execution = execution
        self._retries = options.retries
        self._patience = inf if options.lock_patience is None else options.lock_patience
        self._failed = 0
        self._done = 0
        self._since = 0.0

    def another(self, error: BaseException) -> bool:
        """Pause and return True if the revision may be tried again.

        Each pause is longer than the one before, and jittered. Meanwhile the application's queries
        that waited behind the migration go on. A revision is tried again only if it is proven that
        it has left nothing.
        """
        execution, code = self._execution, error_code(error)
        if code not in RETRYABLE or execution.self_block.caused(error) or execution.leftovers():
            return False
        if not self._failed or len(execution.done) > self._done:
            self._failed, self._done = 0, len(execution.done)
            self._since = time.monotonic()
        self._failed += 1
        if self._left <= 0 or self._failed > (inf if self._retries is None else self._retries):
            return False
        longest = _LONGEST_WITHOUT_COUNT if self._retries is None else _LONGEST_PAUSE
        pause = min(_FIRST_PAUSE * 2 ** min(self._failed - 1, 9), longest)
        pause = min(pause * random.uniform(0.5, 1.0), self._left)
        self._tell(code, pause)
        time.sleep(pause)
        return self._retries is not None or self._is_free_in_time()

    @property
    def _left(self) -> float:
        """How many seconds are left for tries."""
        return self._since + self._patience - time.monotonic()

    def _tell(self, code: str, pause: float) -> None:
        execution = self._execution
        blocked = "".join(f"\n  blocked by {blocker}" for blocker in execution.observer.blockers())
        running = execution.running
        what = f"revision {running.title} was rolled back" if running else "nothing was done"
        number = f"try {self._failed + 1}"
        until = ""
        if self._retries is not None:
            number += f" of {self._retries + 1}"
        elif blocked:
            until = f", or later, when the lock is free; it gives up in {self._left:.0f} s"
        else:
            until = f"; it gives up in {self._left:.0f} s"
        execution.context.watcher.notice(
            f"{what} because {RETRYABLE[code]}; {number} in {pause:.1f} s{until}{blocked}"
        )

    def _is_free_in_time(self) -> bool:
        """Wait until the locks are free; a try that is made before would only hold others up."""
        observer = self._execution.observer
        observer.send_autovacuum_away()
        while observer.is_locked_out():
            if self._left <= 0:
                return False
            time.sleep(min(_LOOK, max(self._left, 0)))
        return True

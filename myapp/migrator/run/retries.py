"""Try a revision again after it ran into locks of the application."""

import random
import time

from ..database.failures import RETRYABLE, error_code
from .execution import Execution

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0


class Attempts:
    """Counts how often the revision that runs has been tried."""

    def __init__(self, execution: Execution, retries: int) -> None:
        self._execution = execution
        self._retries = retries
        self._failed = 0
        self._done = 0

    def another(self, error: BaseException) -> bool:
        """Pause and return True if the revision may be tried again.

        Each pause is longer than the one before, and jittered. Meanwhile the application's queries
        that waited behind the migration go on. A revision is tried again only if it is proven that
        it has left nothing.
        """
        execution, code = self._execution, error_code(error)
        if code not in RETRYABLE or execution.self_block.caused(error) or execution.leftovers():
            return False
        if len(execution.done) > self._done:
            self._failed, self._done = 0, len(execution.done)
        self._failed += 1
        if self._failed > self._retries:
            return False
        longest = min(_FIRST_PAUSE * 2 ** (self._failed - 1), _LONGEST_PAUSE)
        pause = longest * random.uniform(0.5, 1.0)
        blocked = "".join(f"\n  blocked by {blocker}" for blocker in execution.observer.blockers())
        running = execution.running
        what = f"revision {running.title} was rolled back" if running else "nothing was done"
        execution.context.watcher.notice(
            f"{what} because {RETRYABLE[code]}; try {self._failed + 1} of {self._retries + 1} in"
            f" {pause:.1f} s{blocked}"
        )
        time.sleep(pause)
        return True

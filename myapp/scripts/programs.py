"""Run another program to its end, and end it first where a signal ends this one."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence

from ..migrator.base.canceller import Canceller
from ..migrator.base.errors import UsageError

#: How often a signal is looked for, in seconds. Python may have dropped its exception.
_LOOK = 0.5


def require_program(name: str) -> None:
    """Raise UsageError when there is no program of this name."""
    if shutil.which(name) is None:
        raise UsageError(
            f"`{name}` can't be run: there is no such program.",
            hint="COMMAND stands after `--`, as in `{cmd} scratch -- pytest`.",
        )


def run_program(
    words: Sequence[str], variables: Mapping[str, str], stdout: int, canceller: Canceller
) -> int:
    """Run `words` with more environment variables, and return the exit status as a shell does.

    `stdout` is the file descriptor to write to.
    """
    environment = {**os.environ, **variables}
    running = subprocess.Popen(words, env=environment, stdout=stdout)  # noqa: S603 - as typed
    try:
        while (status := _ended(running)) is None:
            canceller.check()
    except KeyboardInterrupt as interrupt:
        # A terminal sends Ctrl-C to both. A shell that gets it alone would wait for its command.
        if interrupt.args != (signal.SIGINT,) or not os.isatty(0):
            running.terminate()
        running.wait()
        raise
    return 128 - status if status < 0 else status


def _ended(running: "subprocess.Popen[bytes]") -> int | None:
    try:
        return running.wait(_LOOK)
    except subprocess.TimeoutExpired:
        return None

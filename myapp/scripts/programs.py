"""Run another program to its end, and end it first where a signal ends this one."""

import errno
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
    """Raise UsageError when there is no program of this name, or none that may be run."""
    if shutil.which(name) is None:
        is_there = os.path.dirname(name) and os.path.exists(name)
        raise _unrunnable(name, OSError(errno.EACCES if is_there else errno.ENOENT, ""))


def _unrunnable(name: str, error: OSError) -> UsageError:
    """Return the error for a program that doesn't start, with the status of a shell for it."""
    is_missing = error.errno == errno.ENOENT
    why = "there is no such program" if is_missing else os.strerror(error.errno or 0)
    unrunnable = UsageError(
        f"`{name}` can't be run: {why}.",
        hint="COMMAND stands after `--`, as in `{cmd} scratch -- pytest`.",
    )
    unrunnable.exit_code = 127 if is_missing else 126
    return unrunnable


def run_program(
    words: Sequence[str], variables: Mapping[str, str], stdout: int, canceller: Canceller
) -> int:
    """Run `words` with more environment variables, and return the exit status as a shell does.

    `stdout` is the file descriptor to write to. Raises UsageError when it doesn't start.
    """
    environment = {**os.environ, **variables}
    try:
        running = subprocess.Popen(words, env=environment, stdout=stdout)  # noqa: S603 - as typed
    except OSError as error:
        raise _unrunnable(words[0], error) from None
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

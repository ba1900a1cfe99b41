"""Show each revision as it is applied, on a terminal or in a log."""

import threading
import time
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import click

from ..migrator.base.legible import legible
from ..migrator.base.watcher import Watcher
from .console import Console
from .durations import format_seconds

if TYPE_CHECKING:
    from ..migrator.base.results import Step

_RUNNING = " ..."
#: The name of the thread that says that a revision is still running.
STILL_RUNNING = "still-running"
_FIRST_SIGN = 5.0
# A CI service may end a job that has been silent for ten minutes.
_LONGEST_SILENCE = 300.0


class Terminal(Watcher):
    """Writes the progress of a run to standard error.

    In a log, it says after `first_sign` seconds that a revision is still running.
    """

    def __init__(self, console: Console, first_sign: float = _FIRST_SIGN) -> None:
        self._console = console
        self._first_sign = first_sign
        self._signs: _SignsOfLife | None = None

    def step(self, step: "Step") -> None:
        """Write a line for each finished step. On a terminal, show the running one too."""
        _write(self._console, step)
        if self._console.typed.quiet or self._console.stderr.overwrites:
            return
        if self._signs is None:
            self._signs = _SignsOfLife(self._console, self._first_sign)
        self._signs.running = (step, time.monotonic()) if step.seconds is None else None

    def ended(self) -> None:
        """Stop saying that a revision is still running."""
        if self._signs:
            self._signs.stop()
            self._signs = None

    def notice(self, sentence: str) -> None:
        """Write a wait, a retry or a warning."""
        self._console.warn(sentence)


class _SignsOfLife:
    """Says at growing intervals that a revision is still running.

    It needs a thread of its own: the main thread is blocked while the driver waits for the server.
    """

    def __init__(self, console: Console, first: float) -> None:
        self.running: tuple[Step, float] | None = None
        self._story, self._color = console.stderr, console.typed.color
        self._first = first
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._tell, name=STILL_RUNNING, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _tell(self) -> None:
        told, pause = None, self._first
        while not self._stopped.wait(pause):
            running, now = self.running, time.monotonic()
            if running is None:
                pause = self._first
                continue
            step, start = running
            if running is not told:
                told, due = running, start + self._first
            if now >= due:
                state = click.style(f"still running, {format_seconds(now - start)}", fg="yellow")
                self._story.write_line(f"{_titled(step)}  {state}", color=self._color)
                due = now + min(now - start, _LONGEST_SILENCE)
            pause = due - now


def _write(console: Console, step: "Step") -> None:
    console.in_step = step.seconds is None
    if console.typed.quiet or (step.seconds is None and not console.stderr.overwrites):
        return
    line, stderr = _titled(step), console.stderr
    if step.seconds is None:
        # One column stays free, as some terminals wrap a line that fills the last one.
        stderr.write_passing_line(_cut(line, stderr.columns - len(_RUNNING) - 1) + _RUNNING)
    else:
        duration = click.style(format_seconds(step.seconds), fg="green")
        stderr.write_line(f"{line}  {duration}", color=console.typed.color)


def _titled(step: "Step") -> str:
    line = f"[{step.number}/{step.total}] {step.revision.revision} {step.revision.message}".rstrip()
    line = f"{line} (downgrade)" if step.direction == "downgrade" else line
    return legible(f"{line} in {step.place}" if step.place else line)


def _cut(line: str, columns: int) -> str:
    """Return as much of `line` as `columns` columns of a terminal hold."""
    ends = accumulate(2 if east_asian_width(char) in "WF" else 1 for char in line)
    return line[: sum(1 for _ in takewhile(lambda end: end <= columns, ends))]

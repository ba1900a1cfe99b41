"""Show each revision as it is applied, on a terminal or in a log."""

import threading
import time
from typing import TYPE_CHECKING

import click

from ..migrator.base.legible import legible
from ..migrator.base.watcher import Watcher
from .console import Console
from .durations import format_seconds, format_whole_seconds
from .wrapping import cut, width

if TYPE_CHECKING:
    from ..migrator.base.results import Step
    from .story import Story

_RUNNING = " ..."
#: The name of the thread that says that a revision is still running.
STILL_RUNNING = "still-running"
_FIRST_SIGN = 5.0
_TICK = 1.0
# A CI service may end a job that has been silent for ten minutes.
_LONGEST_SILENCE = 300.0


class Terminal(Watcher):
    """Writes the progress of a run to standard error.

    On a terminal, a passing line says every second for how long a revision has been running. In a
    log, a line says so after `first_sign` seconds for the first time.
    """

    def __init__(self, console: Console, first_sign: float = _FIRST_SIGN) -> None:
        self._console = console
        self._first_sign = first_sign
        self._signs: _SignsOfLife | None = None

    def step(self, step: "Step") -> None:
        """Write a line for each finished step. On a terminal, show the running one too."""
        if self._signs:
            self._signs.running = None  # before its line is written, after which it runs no more
        self._console.in_step = step.seconds is None
        if self._console.typed.quiet:
            return
        _write(self._console, step)
        if step.seconds is None:
            if self._signs is None:
                self._signs = _SignsOfLife(self._console, self._first_sign)
            self._signs.running = (step, time.monotonic())

    def ended(self) -> None:
        """Stop saying that a revision is still running."""
        if self._signs:
            self._signs.stop()
            self._signs = None

    def notice(self, sentence: str) -> None:
        """Write a wait, a retry or a warning."""
        self._console.warn(sentence)


class _SignsOfLife:
    """Says that a revision is still running, at growing intervals in a log.

    It needs a thread of its own: the main thread is blocked while the driver waits for the server.
    """

    def __init__(self, console: Console, first: float) -> None:
        self.running: tuple[Step, float] | None = None
        self._story, self._color = console.stderr, console.typed.color
        self._first = first
        self._stopped = threading.Event()
        tell = self._tell_passing if self._story.overwrites else self._tell
        self._thread = threading.Thread(target=tell, name=STILL_RUNNING, daemon=True)
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

    def _tell_passing(self) -> None:
        while not self._stopped.wait(_TICK):
            running = self.running
            if running and (seconds := time.monotonic() - running[1]) >= _TICK:
                self._story.write_passing_line(_passing(self._story, running[0], seconds))


def _write(console: Console, step: "Step") -> None:
    line, stderr = _titled(step), console.stderr
    if step.seconds is None:
        stderr.write_passing_line(_passing(stderr, step))
    else:
        duration = click.style(format_seconds(step.seconds), fg="green")
        stderr.write_line(
            f"{line}  {duration}", color=console.typed.color, indent=width(_counter(step))
        )


def _passing(story: "Story", step: "Step", seconds: float = 0) -> str:
    elapsed = f" {format_whole_seconds(seconds)}" if seconds else ""
    # One column stays free, as some terminals wrap a line that fills the last one.
    room = story.columns - len(_RUNNING + elapsed) - 1
    return f"{cut(_titled(step), room)}{_RUNNING}{elapsed}"


def _counter(step: "Step") -> str:
    return f"[{step.number:{len(str(step.total))}}/{step.total}] "


def _titled(step: "Step") -> str:
    line = f"{_counter(step)}{step.revision.revision} {step.revision.message}".rstrip()
    line = f"{line} (downgrade)" if step.direction == "downgrade" else line
    return legible(f"{line} in {step.place}" if step.place else line)

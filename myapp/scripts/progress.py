"""Each revision as it is applied, on a terminal and in a log."""

from itertools import accumulate, takewhile
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import click

from ..migrator.watcher import Watcher
from .session import Session

if TYPE_CHECKING:
    from ..migrator.results import Step

_RUNNING = " ..."


class Terminal(Watcher):
    """Writes what a run tells to standard error."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def step(self, step: "Step") -> None:
        """Write one line for each finished step; on a terminal, show the running one meanwhile."""
        _write(self._session, step)

    def notice(self, sentence: str) -> None:
        """Write a wait, a retry or a warning."""
        self._session.warn(sentence)


def _write(session: Session, step: "Step") -> None:
    session.in_step = step.seconds is None
    if session.quiet or (step.seconds is None and not session.stderr.overwrites):
        return
    line = f"[{step.number}/{step.total}] {step.revision.revision} {step.revision.message}".rstrip()
    if step.direction == "downgrade":
        line = f"{line} (downgrade)"
    stderr = session.stderr
    if step.seconds is None:
        # One column stays free: a line that fills the last one would wrap on some terminals.
        stderr.write_passing_line(_cut(line, stderr.columns - len(_RUNNING) - 1) + _RUNNING)
    else:
        duration = click.style(format_seconds(step.seconds), fg="green")
        stderr.write_line(f"{line}  {duration}", color=session.color)


def format_seconds(seconds: float) -> str:
    """Return a duration as a person reads it: `41 ms`, `2.5 s`, `3 min 20 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"


def _cut(line: str, columns: int) -> str:
    """Return as much of `line` as `columns` columns of a terminal hold."""
    ends = accumulate(2 if east_asian_width(char) in "WF" else 1 for char in line)
    return line[: sum(1 for _ in takewhile(lambda end: end <= columns, ends))]

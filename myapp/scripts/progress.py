"""Each revision as it is applied, on a terminal and in a log."""

import shutil
import sys
from typing import TYPE_CHECKING

import click

from ..migrator.watcher import Watcher
from .session import Session

if TYPE_CHECKING:
    from ..migrator.results import Step

_CLEAR_TO_END = "\x1b[K"


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
    if session.quiet:
        return
    is_terminal = sys.stderr.isatty()
    line = f"[{step.number}/{step.total}] {step.revision.revision} {step.revision.message}"
    if step.direction == "downgrade":
        line = f"{line} (downgrade)"
    if step.seconds is None:
        if is_terminal:
            width = shutil.get_terminal_size().columns
            click.echo(f"{line[: width - 5]} ...\r", err=True, nl=False, color=session.color)
        return
    duration = click.style(format_seconds(step.seconds), fg="green")
    clear = _CLEAR_TO_END if is_terminal else ""
    click.echo(f"{line}  {duration}{clear}", err=True, color=session.color)


def format_seconds(seconds: float) -> str:
    """Return a duration as a person reads it: `41 ms`, `2.5 s`, `3 min 20 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"

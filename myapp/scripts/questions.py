"""Questions to the person at the terminal, if there is one."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ..migrator.base.legible import legible
from .endings import interrupted
from .session import Session

if TYPE_CHECKING:
    from ..migrator.base.losses import Loss

#: How many losses are told one by one.
_LISTED = 20


def can_ask(session: Session) -> bool:
    """Tell whether somebody is there to answer. Who wants JSON is a program."""
    is_read = bool(sys.stdin and sys.stdin.isatty())
    return is_read and session.console.stderr.isatty() and not session.typed.json


def agrees(session: Session, question: str) -> bool:
    """Ask, before anything is changed, and tell whether the answer is yes.

    Raises Interrupted.
    """
    try:
        session.console.stderr.write(f"{question} [y/N] ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt as error:
        told = interrupted(error)
        told.message += " Nothing was changed."
        told.hint = None
        raise told from None


def may_drop(session: Session, *, asks: bool) -> "Callable[[Sequence[Loss], bool], bool]":
    """Return what tells of the data that a run drops, and `asks` about it if somebody is there."""

    def may_drop(losses: "Sequence[Loss]", is_locked: bool) -> bool:
        is_asked = asks and can_ask(session)
        if is_asked or not session.typed.quiet:
            _tell(session, losses)
        if not is_asked:
            return True
        # Others wait for the lock. They shall not wait for a person.
        return not is_locked and agrees(session, "Drop this?")

    return may_drop


def _tell(session: Session, losses: "Sequence[Loss]") -> None:
    console = session.console
    lines = [f"Drops: {loss.text}" for loss in losses[:_LISTED]]
    if len(losses) > _LISTED:
        lines.append(f"Drops: {len(losses) - _LISTED} more")
    for line in lines:
        told = click.style(legible(console.redactor.redact(line)), fg="red")
        console.stderr.write_line(told, color=session.typed.color)

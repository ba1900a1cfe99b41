"""Questions to the person at the terminal, if there is one."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ..migrator.base.author import Author
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
        return _is_yes(_answer(session, f"{question} [y/N]"))
    except KeyboardInterrupt as error:
        told = interrupted(error)
        told.message += " Nothing was changed."
        told.hint = None
        raise told from None


def author(session: Session) -> Author:
    """Return who can be asked about a revision that is to be written; nobody in a script."""
    return _AuthorOnTerminal(session) if can_ask(session) else Author()


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


class _AuthorOnTerminal(Author):
    def __init__(self, session: Session) -> None:
        self._session = session

    def message(self, suggested: str) -> str | None:
        """Ask for the message; an empty answer takes what is suggested."""
        shown = f" [{suggested}]" if suggested else ""
        return self._ask(f"Message{shown}:") or suggested or None

    def is_renamed(self, old: str, new: str) -> bool:
        """Ask whether a column has a new name; an empty answer is no."""
        return _is_yes(self._ask(f"Was {old} renamed to {new}? [y/N]"))

    def _ask(self, question: str) -> str:
        line = _answer(self._session, question)
        if not line:  # Ctrl-D
            raise KeyboardInterrupt
        return line.strip()


def _answer(session: Session, question: str) -> str:
    """Return the line that is typed; it is empty after Ctrl-D."""
    session.console.stderr.write_question(f"{legible(question)} ")
    return sys.stdin.readline()


def _is_yes(line: str) -> bool:
    return line.strip().lower() in ("y", "yes")


def _tell(session: Session, losses: "Sequence[Loss]") -> None:
    console = session.console
    lines = [f"Drops: {loss.text}" for loss in losses[:_LISTED]]
    if len(losses) > _LISTED:
        lines.append(f"Drops: {len(losses) - _LISTED} more")
    for line in lines:
        told = click.style(legible(console.redactor.redact(line)), fg="red")
        console.stderr.write_line(told, color=session.typed.color)

"""Questions on the terminal about a revision that is to be written."""

import sys

from ..migrator.base.author import Author
from ..migrator.base.legible import legible
from .session import Session


def author(session: Session) -> Author:
    """Return who can be asked; nobody, unless there is a terminal."""
    stderr = session.console.stderr
    if session.typed.json or not (sys.stdin and sys.stdin.isatty() and stderr.isatty()):
        return Author()
    return _AuthorOnTerminal(session)


class _AuthorOnTerminal(Author):
    def __init__(self, session: Session) -> None:
        self._stderr = session.console.stderr

    def message(self, suggested: str) -> str | None:
        """Ask for the message; an empty answer takes what is suggested."""
        shown = f" [{suggested}]" if suggested else ""
        return self._ask(f"Message{shown}: ") or suggested or None

    def is_renamed(self, old: str, new: str) -> bool:
        """Ask whether a column has a new name; an empty answer is no."""
        return self._ask(f"Was {old} renamed to {new}? [y/N] ").lower() in ("y", "yes")

    def _ask(self, question: str) -> str:
        self._stderr.write_question(legible(question))
        line = sys.stdin.readline()
        if not line:  # Ctrl-D
            raise KeyboardInterrupt
        return line.strip()

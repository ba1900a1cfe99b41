"""A panel of pyramid_debugtoolbar: where the database stands, what is pending, and the history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyramid_debugtoolbar.panels import DebugPanel

from ..revisions import answers
from ..revisions.drawing import drawn_history
from .given import standing_of
from .look import Look
from .telling import command, told, wrong

if TYPE_CHECKING:
    from pyramid.request import Request


class MigrationsPanel(DebugPanel):  # type: ignore[misc] # it has no type hints
    """The panel. The database is asked when it is opened."""

    name = "migrations"
    title = nav_title = "Migrations"
    has_content = True
    template = f"{__package__}:templates/panel.dbtmako"

    def __init__(self, request: Request) -> None:
        """Keep what knows the database of the application."""
        self._standing = standing_of(request.registry)

    def render_vars(self, request: Request) -> dict[str, Any]:
        """Return what the template shows."""
        look = self._standing.latest()
        error = wrong(look)
        return {
            "standing": look.status.standing if look.status else None,
            "error": told(error, lambda: self._standing.settings) if error else None,
            "pending": look.pending,
            "command": f"{command(self._standing.settings)} upgrade" if look.pending else None,
            "drawing": "\n".join(_drawing(look)),
        }


def _drawing(look: Look) -> Iterator[str]:
    if look.code is None:
        return
    history = look.code.history
    tables = (look.status.table,) if look.status and not look.status.unknown else ()
    unmarked = None if tables else look.state
    for row, each in drawn_history(answers.marked(history, history.ids, tables, unmarked)):
        state = f" {each.state:7}" if each is not None and each.state else ""
        yield row if each is None else f"{row}{state} {each.revision.title}"

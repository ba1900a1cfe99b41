"""The command that mends the version table, and its question."""

from typing import TYPE_CHECKING

import click

from .cli import cli
from .group import option
from .questions import agrees, can_ask
from .session import Session

if TYPE_CHECKING:
    from ..migrator.base.repairs import Repair


@cli.command("repair", writes=True)
@option("-y", "--yes", is_flag=True, help="Write without a question.")
@click.pass_obj
def repair(session: Session, yes: bool) -> object:
    """Mend the version table, and run nothing.

    It shows what it would write, and why. Rows are taken out that are blank, stand there twice, or
    are implied by others. The column is widened for the longest id.
    """
    from ..migrator.commands import repair

    return repair.repair(session.context(), lambda planned: _agrees(session, planned, is_sure=yes))


def _agrees(session: Session, planned: "Repair", *, is_sure: bool) -> bool:
    """Show what is `planned`, and ask, if somebody is there to answer."""
    from .output import lines_of_plan

    console = session.console
    if not (is_sure and session.typed.quiet):
        for line in lines_of_plan(planned):
            console.stderr.write_line(console.redactor.redact(line))
    if is_sure:
        return True
    return can_ask(session) and agrees(session, "Write this?")

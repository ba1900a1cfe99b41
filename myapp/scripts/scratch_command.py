"""The command that runs another one with a scratch database."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .arguments import REVISION
from .cli import cli
from .durations import format_seconds
from .group import option
from .session import Session

if TYPE_CHECKING:
    from ..migrator.base.scratch import Scratch

_URL = "DATABASE_URL"


def _names(ctx: click.Context, param: click.Parameter, names: Sequence[str]) -> Sequence[str]:
    """Return `names` if a shell can read variables that are called so."""
    for name in names:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise click.BadParameter(f"`{name}` can't be the name of a variable.")
    return names


@cli.command("scratch", connects=True)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@option("--at", "target", type=REVISION, default="heads", help="The revision of the database.")
@option(
    "--env",
    "names",
    multiple=True,
    metavar="NAME",
    callback=_names,
    help="Set this variable to its URL too.",
)
@option("--scratch-url", help="Make it on this PostgreSQL server instead of the live one.")
@option("--fresh", is_flag=True, help="Run all revisions, instead of copying an earlier result.")
@click.pass_obj
def scratch(
    session: Session,
    command: Sequence[str],
    target: str,
    names: Sequence[str],
    scratch_url: str | None,
    fresh: bool,
) -> object:
    """Run COMMAND with a scratch database at the heads.

    Its URL is in the environment variable DATABASE_URL. The live database is not touched.
    The exit status is that of COMMAND, which stands after `--`.
    """
    from ..migrator.commands import scratch
    from .programs import require_program, run_program

    require_program(command[0])
    context = session.context()
    with scratch.scratch(context, target, scratch_url=scratch_url, is_fresh=fresh) as made:
        _tell(session, made)
        variables = dict.fromkeys([_URL, *names], made.url)
        # With `--json`, standard output has nothing but our own document.
        stdout = 2 if session.typed.json else session.console.answers
        status = run_program(command, variables, stdout, session.canceller)
    return ScratchAnswer(made, status)


class ScratchAnswer:
    """What became of COMMAND, whose own output is the answer in text."""

    def __init__(self, made: "Scratch", exit_code: int) -> None:
        self.made = made
        self.exit_code = exit_code

    def document(self) -> dict[str, Any]:
        """Return the fields of the JSON document."""
        made = self.made
        return {
            "database": made.database,
            "target": made.target,
            "rows": made.rows,
            "is_copy": made.is_copy,
            "seconds": round(made.seconds, 6),
            "exit_code": self.exit_code,
        }

    def lines(self) -> list[str]:
        """Return the lines of the answer in text: none."""
        return []


def _tell(session: Session, made: "Scratch") -> None:
    if not session.typed.quiet:
        how = "copied" if made.is_copy else "migrated"
        session.console.stderr.write_line(
            f"Scratch database {made.database}, {how} in {format_seconds(made.seconds)}."
        )

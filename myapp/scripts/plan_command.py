"""The command that shows what a run would do."""

from typing import Any

import click

from ..migrator.base.errors import UsageError
from .arguments import REVISION
from .cli import cli
from .group import option
from .session import Session

_NO_LINTER = (
    "Squawk is not installed, so no linter has looked at the SQL: `pip install 'myapp[lint]'`."
)


@cli.command("plan", connects=True)
@click.argument("revision", type=REVISION, required=False)
@option("--down", is_flag=True, help="Plan a downgrade to REVISION instead.")
@option("--from", "start", type=REVISION, metavar="REVISION", help="Begin here; ask no database.")
@option("--strict", is_flag=True, help="End with status 10 when an error is found.")
@option("--tag", help="A tag that env.py can ask for.")
@click.pass_obj
def plan(
    session: Session,
    revision: str | None,
    down: bool,
    start: str | None,
    strict: bool,
    tag: str | None,
) -> object:
    """Show what a run would do, and change nothing.

    That is an upgrade to REVISION, by default to the heads. Of each revision it shows the SQL,
    whether it runs in a transaction, how large its tables are, and what is dangerous.
    """
    from ..migrator.commands import planning
    from .plan_answer import PlanAnswer

    if down and revision is None:
        raise UsageError(
            "`plan --down` needs the revision to go down to.",
            hint="type `{cmd} plan --down -1`, or name a revision or `base`.",
        )
    direction: Any = "downgrade" if down else "upgrade"
    made = planning.plan(
        session.context(), revision or "heads", direction=direction, start=start, tag=tag
    )
    if made.is_linted is False and not session.typed.quiet:
        session.console.stderr.write_line(_NO_LINTER)
    redact = session.console.redactor.redact
    return PlanAnswer(made, redact, is_strict=strict, is_short=session.typed.quiet)

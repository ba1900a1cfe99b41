"""The command that shows what a run would do."""

from typing import Any

import click

from ..migrator.base.errors import UsageError
from .arguments import REVISION
from .cli import cli
from .group import option
from .session import Session

_NO_LINTER = (
    "Squawk is not installed, so no linter has looked at the SQL: `pip install squawk-cli`."
)


@cli.command("plan", connects=True)
@click.argument("revision", type=REVISION, required=False)
@option("--down", is_flag=True, help="Plan a downgrade to REVISION instead.")
@option("--from", "start", type=REVISION, metavar="REVISION", help="Begin here; ask no database.")
@option("--strict", is_flag=True, help="End with status 10 when an error is found.")
@option("--trace", is_flag=True, help="Run it in a scratch database, and show what it locks.")
@option("--scratch-url", help="Trace on this PostgreSQL server, not the live one.")
@option("--tag", help="A tag that env.py can ask for.")
@click.pass_obj
def plan(
    session: Session,
    revision: str | None,
    down: bool,
    start: str | None,
    strict: bool,
    trace: bool,
    scratch_url: str | None,
    tag: str | None,
) -> object:
    """Show what a run would do, and change nothing.

    That is an upgrade to REVISION, by default to the heads. Of each revision it shows the SQL,
    whether it runs in a transaction, how large its tables are, and what is dangerous.
    """
    from .plan_answer import PlanAnswer

    if down and revision is None:
        raise UsageError(
            "`plan --down` needs the revision to go down to.",
            hint="type `{cmd} plan --down -1`, or name a revision or `base`.",
        )
    if trace and start is not None:
        raise UsageError(
            "`--trace` begins where the database stands, and `--from` asks no database.",
            hint="leave out one of the two.",
        )
    direction: Any = "downgrade" if down else "upgrade"
    context, target = session.context(), revision or "heads"
    if trace:
        from ..migrator.commands.tracing import traced_plan

        made = traced_plan(context, target, direction=direction, scratch_url=scratch_url, tag=tag)
    else:
        from ..migrator.commands.planning import plan as planned

        made = planned(context, target, direction=direction, start=start, tag=tag)
    if made.is_linted is False and not session.typed.quiet:
        session.console.stderr.write_line(_NO_LINTER)
    redact = session.console.redactor.redact
    return PlanAnswer(made, redact, is_strict=strict, is_short=session.typed.quiet)

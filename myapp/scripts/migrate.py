"""`myapp-migrate`: each command is one call of the engine."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..migrator.base.errors import UsageError
from . import more_commands  # noqa: F401 - they join the group
from .arguments import REVISION, SECONDS
from .asking import ask, ask_first
from .cli import cli
from .group import option
from .imports import importing
from .invocation import Invocation
from .questions import may_drop
from .session import Session
from .signals import interrupts
from .streams import give_up_what_cannot_be_written, keep_standard_descriptors

if TYPE_CHECKING:
    from ..migrator.bridge.context import RunContext
    from ..migrator.commands.quick import QuickSource

#: What the shell's completion sets, to `bash_complete` and the like.
_COMPLETION = "_MYAPP_MIGRATE_COMPLETE"


@cli.command("upgrade", writes=True)
@click.argument("revision", type=REVISION, default="heads")
@option("--sql", is_flag=True, help="Write the SQL instead; REVISION may be FROM:TO.")
@option("--tag", help="A tag that env.py can ask for.")
@option("--allow-ahead", is_flag=True, help="Accept a database that newer code migrated.")
@click.pass_obj
def upgrade(session: Session, /, revision: str, sql: bool, **options: Any) -> object:
    """Upgrade the database to REVISION, by default to all heads."""
    if sql:
        from ..migrator.commands import offline

        return offline.upgrade_sql(session.context(), revision, tag=options["tag"])

    def nothing_to_do(source: "QuickSource") -> object:
        from ..migrator.commands import quick

        done = quick.nothing_to_do(source, revision)
        if sentence := quick.heads_to_join_told(source, revision):
            session.console.warn(sentence)
        return done

    def upgrade(context: "RunContext") -> object:
        from ..migrator.commands import migration

        told = may_drop(session, asks=False)
        return migration.upgrade(context, revision, may_drop=told, **options)

    return ask_first(session, nothing_to_do, upgrade)


@cli.command("downgrade", writes=True)
@click.argument("revision", type=REVISION)
@option("--sql", is_flag=True, help="Write the SQL instead; REVISION is FROM:TO.")
@option("--tag", help="A tag that env.py can ask for.")
@option("-y", "--yes", is_flag=True, help="Drop tables and columns without a question.")
@click.pass_obj
def downgrade(session: Session, revision: str, sql: bool, tag: str | None, yes: bool) -> object:
    """Downgrade the database to REVISION, as `-1` or `base`.

    It tells which tables, columns and rows go. On a terminal it asks first. It refuses to pass a
    revision that says `# migrate: irreversible because REASON`.
    """
    context = session.context()
    if sql:
        from ..migrator.commands import offline

        return offline.downgrade_sql(context, revision, tag=tag)
    from ..migrator.commands import migration

    asked = may_drop(session, asks=not yes)
    return migration.downgrade(context, revision, tag=tag, may_drop=asked)


@cli.command("current", connects=True)
@option("-c", "--check-heads", is_flag=True, help="End with status 3 unless all heads are applied.")
@click.pass_obj
def current(session: Session, check_heads: bool) -> object:
    """Show the revision at which the database stands."""
    from ..migrator.commands import reports

    return ask(session, lambda source: reports.current(source, check_heads=check_heads))


@cli.command("history", connects=True)
@option("-r", "--rev-range", type=REVISION, metavar="[START]:[END]", help="Show this range only.")
@option("-i", "--indicate-current", is_flag=True, help="Fail if the database can't be asked.")
@option("--graph", is_flag=True, help="Draw branches, merges and dependencies as lines.")
@click.pass_obj
def history(session: Session, rev_range: str | None, indicate_current: bool, graph: bool) -> object:
    """List the revisions: applied, current or pending.

    The newest comes first.
    """
    from ..migrator.commands import reports

    report = ask(
        session,
        lambda source: reports.history(source, rev_range, require_database=indicate_current),
    )
    if report.unmarked:
        report = replace(report, unmarked=session.console.redactor.redact(report.unmarked))
        session.console.warn(f"no revision is marked as applied or pending. {report.unmarked}")
    if graph and not session.typed.json:
        from .history_graph import HistoryGraph

        return HistoryGraph(report)
    return report


@cli.command("heads")
@option("--resolve-dependencies", is_flag=True, help="Leave out what others depend on.")
@click.pass_obj
def heads(session: Session, resolve_dependencies: bool) -> object:
    """Show the revisions that no other follows."""
    from ..migrator.commands import reports

    return ask(
        session, lambda source: reports.heads(source, resolve_dependencies=resolve_dependencies)
    )


@cli.command("branches")
@click.pass_obj
def branches(session: Session) -> object:
    """Show the revisions at which the history branches."""
    from ..migrator.commands import reports

    return ask(session, reports.branches)


@cli.command("show", connects=True)
@click.argument("revision", type=REVISION)
@option("--sql", is_flag=True, help="Write the SQL of these revisions alone.")
@click.pass_obj
def show(session: Session, revision: str, sql: bool) -> object:
    """Show the revisions that REVISION names, in full."""
    from ..migrator.commands import reports

    done = ask(session, lambda source: reports.show(source, revision))
    if sql:
        from ..migrator.commands import offline

        return offline.show_sql(session.context(), [each.revision for each in done])
    session.typed.verbose = True
    return done


@cli.command("stamp", writes=True)
@click.argument("revisions", type=REVISION, nargs=-1, required=True)
@option("--sql", is_flag=True, help="Write the SQL instead; REVISIONS may be FROM:TO.")
@option("--tag", help="A tag that env.py can ask for.")
@option("--purge", is_flag=True, help="Empty the version table first.")
@click.pass_obj
def stamp(
    session: Session, revisions: tuple[str, ...], sql: bool, tag: str | None, purge: bool
) -> object:
    """Set the version table to REVISIONS without running them."""
    from ..migrator.commands import offline, stamping

    if sql and purge:
        raise UsageError("`--purge` needs a database, and `--sql` uses none.", hint="drop one.")
    context = session.context()
    if sql:
        return offline.stamp_sql(context, revisions, tag=tag)
    return stamping.stamp(context, revisions, tag=tag, purge=purge)


@cli.command("check", connects=True)
@click.pass_obj
def check(session: Session) -> object:
    """Compare models and database; status 4 if they differ.

    All revision files are loaded first. Several heads are an error of status 8.
    """
    from ..migrator.commands import comparison

    return comparison.check(session.context(autogenerate=True))


@cli.command("wait")
@option(
    "--timeout", type=SECONDS, default=60, show_default=True, help="How long to wait, in seconds."
)
@option("--allow-ahead", is_flag=True, help="Accept a database that newer code migrated.")
@click.pass_obj
def wait(session: Session, timeout: float, allow_ahead: bool) -> object:
    """Wait until all heads are applied; status 3 if late."""

    def at_heads(source: "QuickSource") -> object:
        from ..migrator.commands import quick

        return quick.at_heads(source)

    def wait(context: "RunContext") -> object:
        from ..migrator.commands import waiting

        began = session.typed.began
        return waiting.wait(context, timeout, allow_ahead=allow_ahead, began=began)

    # Half of the time is left to find out, and tell, what is in the way.
    return ask_first(session, at_heads, wait, max(timeout / 2, 0.5))


@cli.command("ensure-version", writes=True)
@option("--sql", is_flag=True, help="Write the SQL instead.")
@click.pass_obj
def ensure_version(session: Session, sql: bool) -> object:
    """Create the version table if it doesn't exist."""
    from ..migrator.commands import offline, stamping

    context = session.context()
    return offline.ensure_version_sql(context) if sql else stamping.ensure_version(context)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (None: the process's own) and return the exit status."""
    if argv is not None:
        from .logs import logging_as_before

        with logging_as_before():
            return _start(list(argv), ends_the_process=False)
    keep_standard_descriptors()
    try:
        return _start(sys.argv[1:], ends_the_process=True)
    finally:
        give_up_what_cannot_be_written()


def _start(arguments: list[str], *, ends_the_process: bool) -> int:
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    color = False if is_plain else None
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    session = Session(Invocation(json="--json" in ours, color=color))
    if _COMPLETION in os.environ:
        from .completion import complete

        with importing(ends_the_process=ends_the_process):
            return complete(cli, session, _COMPLETION)
    from ..migrator.settings.url_secrets import secrets_in_arguments

    session.console.redactor.add(secrets_in_arguments(arguments))
    with session.console.redactor.in_use():
        return _run(session, arguments, ends_the_process=ends_the_process)


def _run(session: Session, arguments: list[str], *, ends_the_process: bool) -> int:
    try:
        with (
            interrupts(session.canceller, ends_the_process=ends_the_process),
            importing(ends_the_process=ends_the_process),
            session.console.stdout(),
            # Not `cli.main`, which ends the process with statuses of its own.
            cli.make_context("myapp-migrate", arguments, obj=session) as context,
        ):
            cli.invoke(context)
    except BaseException as error:  # noqa: BLE001 - the one place where errors become exit statuses
        return session.console.ended(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())

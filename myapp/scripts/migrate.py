"""`myapp-migrate`: each command is one call of the engine."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import click

from .. import __version__
from ..migrator.errors import UsageError
from .endings import interrupted, misused
from .group import REVISION, IniGroup, complete_file
from .imports import importing
from .session import Session, sigterm_as_interrupt

_OPTIONS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
#: What the shell's completion sets, to `bash_complete` and the like.
_COMPLETION = "_MYAPP_MIGRATE_COMPLETE"


@click.group(cls=IniGroup, context_settings=_OPTIONS)
@click.argument("config_uri", shell_complete=complete_file)
@click.version_option(__version__, "--version", message="myapp-migrate %(version)s")
def cli(config_uri: str) -> None:
    """Migrate the database of the Pyramid application that CONFIG_URI configures.

    CONFIG_URI is the application's .ini file, `development.ini` or `development.ini#name`.
    NAME=VALUE pairs after it are its variables, as in Pyramid's own scripts.
    """


@cli.command("upgrade")
@click.argument("revision", type=REVISION, default="heads")
@click.option("--sql", is_flag=True, help="Write the SQL instead; REVISION may be FROM:TO.")
@click.option("--tag", help="A tag that env.py can ask for.")
@click.pass_obj
def upgrade(session: Session, revision: str, sql: bool, tag: str | None) -> object:
    """Upgrade the database to REVISION, by default to all heads."""
    if not sql and (done := session.quickly(lambda quick: quick.upgrade(revision))):
        return done
    config = session.config()
    if sql:
        from ..migrator import offline

        return offline.upgrade_sql(config, revision, tag=tag)
    from ..migrator import run
    from .progress import progress

    return run.upgrade(config, revision, tag=tag, progress=partial(progress, session))


@cli.command("downgrade")
@click.argument("revision", type=REVISION)
@click.option("--sql", is_flag=True, help="Write the SQL instead; REVISION is FROM:TO.")
@click.option("--tag", help="A tag that env.py can ask for.")
@click.pass_obj
def downgrade(session: Session, revision: str, sql: bool, tag: str | None) -> object:
    """Downgrade the database to REVISION, as `-1` or `base`."""
    config = session.config()
    if sql:
        from ..migrator import offline

        return offline.downgrade_sql(config, revision, tag=tag)
    from ..migrator import run
    from .progress import progress

    return run.downgrade(config, revision, tag=tag, progress=partial(progress, session))


@cli.command("current")
@click.option(
    "-c", "--check-heads", is_flag=True, help="End with status 3 unless all heads are applied."
)
@click.pass_obj
def current(session: Session, check_heads: bool) -> object:
    """Show the revision at which the database stands."""
    if done := session.quickly(lambda quick: quick.current(check_heads=check_heads)):
        return done
    from ..migrator import reports

    return reports.current(session.config(), check_heads=check_heads)


@cli.command("history")
@click.option(
    "-r", "--rev-range", type=REVISION, metavar="[START]:[END]", help="Show this range only."
)
@click.option("-i", "--indicate-current", is_flag=True, help="Fail if the database can't be asked.")
@click.pass_obj
def history(session: Session, rev_range: str | None, indicate_current: bool) -> object:
    """List the revisions: applied, current or pending.

    The newest comes first.
    """
    if not rev_range and (done := session.quickly(lambda quick: quick.history())):
        return done
    from ..migrator import reports

    report = reports.history(session.config(), rev_range, require_database=indicate_current)
    if report.unmarked:
        report = replace(report, unmarked=session.redactor.redact(report.unmarked))
        session.warn(f"no revision is marked as applied or pending. {report.unmarked}")
    return report


@cli.command("heads")
@click.option("--resolve-dependencies", is_flag=True, help="Leave out what others depend on.")
@click.pass_obj
def heads(session: Session, resolve_dependencies: bool) -> object:
    """Show the revisions that no other follows."""
    from ..migrator import reports

    return reports.heads(session.config(), resolve_dependencies=resolve_dependencies)


@cli.command("branches")
@click.pass_obj
def branches(session: Session) -> object:
    """Show the revisions at which the history branches."""
    from ..migrator import reports

    return reports.branches(session.config())


@cli.command("show")
@click.argument("revision", type=REVISION)
@click.pass_obj
def show(session: Session, revision: str) -> object:
    """Show the revisions that REVISION names, in full."""
    from ..migrator import reports

    session.verbose = True
    return reports.show(session.config(), revision)


@cli.command("revision")
@click.option("-m", "--message", help="What the revision does.")
@click.option("--autogenerate", is_flag=True, help="Fill it from the models' differences.")
@click.option("--sql", is_flag=True, help="Write env.py's SQL to standard output as well.")
@click.option("--head", default="head", type=REVISION, help="The head or BRANCH@head to follow.")
@click.option("--splice", is_flag=True, help="Allow a --head that is no head.")
@click.option("--branch-label", help="A label for the branch that starts here.")
@click.option("--version-path", help="The folder of `version_locations` to write to.")
@click.option("--rev-id", help="The revision's id, instead of one made up.")
@click.option("--depends-on", multiple=True, type=REVISION, help="A revision that must run before.")
@click.pass_obj
def revision(session: Session, /, message: str | None, **options: Any) -> object:
    """Write a new revision file."""
    from ..migrator import authoring

    config = session.config()
    return authoring.revision(config, message, **options)


@cli.command("merge")
@click.argument("revisions", type=REVISION, nargs=-1, required=True)
@click.option("-m", "--message", help="What the revision does.")
@click.option("--branch-label", help="A label for the branch that starts here.")
@click.option("--rev-id", help="The revision's id, instead of one made up.")
@click.option("--splice", is_flag=True, help="Allow REVISIONS that are no heads.")
@click.pass_obj
def merge(
    session: Session, /, revisions: tuple[str, ...], message: str | None, **options: Any
) -> object:
    """Write a revision that joins REVISIONS, such as `heads`."""
    from ..migrator import authoring

    config = session.config()
    return authoring.merge(config, revisions, message, **options)


@cli.command("stamp")
@click.argument("revisions", type=REVISION, nargs=-1, required=True)
@click.option("--sql", is_flag=True, help="Write the SQL instead; REVISIONS may be FROM:TO.")
@click.option("--tag", help="A tag that env.py can ask for.")
@click.option("--purge", is_flag=True, help="Empty the version table first.")
@click.pass_obj
def stamp(
    session: Session, revisions: tuple[str, ...], sql: bool, tag: str | None, purge: bool
) -> object:
    """Set the version table to REVISIONS without running them."""
    from ..migrator import offline, stamping

    if sql and purge:
        raise UsageError("`--purge` needs a database, and `--sql` uses none.", hint="drop one.")
    config = session.config()
    if sql:
        return offline.stamp_sql(config, revisions, tag=tag)
    return stamping.stamp(config, revisions, tag=tag, purge=purge)


@cli.command("check")
@click.pass_obj
def check(session: Session) -> object:
    """Compare models and database; status 4 if they differ."""
    from ..migrator import comparison

    return comparison.check(session.config(autogenerate=True))


@cli.command("edit")
@click.argument("revision", type=REVISION)
@click.pass_obj
def edit(session: Session, revision: str) -> object:
    """Open the files of REVISION in $EDITOR."""
    from ..migrator import authoring

    return authoring.edit(session.config(), revision)


@cli.command("ensure-version")
@click.option("--sql", is_flag=True, help="Write the SQL instead.")
@click.pass_obj
def ensure_version(session: Session, sql: bool) -> object:
    """Create the version table if it doesn't exist."""
    from ..migrator import offline, stamping

    config = session.config()
    return offline.ensure_version_sql(config) if sql else stamping.ensure_version(config)


@cli.command("init")
@click.argument("directory")
@click.option("-t", "--template", default="pyramid", help="A template that `list-templates` names.")
@click.option("--package", is_flag=True, help="Make it a Python package.")
@click.pass_obj
def init(session: Session, directory: str, template: str, package: bool) -> object:
    """Make a migrations folder; show the .ini lines it needs."""
    from ..migrator import scaffold

    return scaffold.init(session.config(), directory, template=template, package=package)


@cli.command("list-templates")
@click.pass_obj
def list_templates(session: Session) -> object:
    """List the templates of `init`."""
    from ..migrator import scaffold

    return {"templates": scaffold.templates()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (None: the process's own) and return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    no_color = False if os.environ.get("NO_COLOR") else None
    session = Session(json="--json" in arguments, color=no_color)
    if _COMPLETION in os.environ:
        from .completion import complete

        return complete(cli, session, _COMPLETION)
    try:
        with (
            sigterm_as_interrupt(),
            importing(ends_the_process=argv is None),
            session.stdout(),
            # Not `cli.main`, which ends the process with statuses of its own.
            cli.make_context("myapp-migrate", arguments, obj=session) as context,
        ):
            cli.invoke(context)
    except click.exceptions.NoArgsIsHelpError as error:
        session.stderr.write_line(error.ctx.get_help())
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return session.fail(misused(error, session.command))
    except KeyboardInterrupt as interrupt:
        return session.fail(interrupted(interrupt))
    except BaseException as error:  # noqa: BLE001 - the one place where errors become exit statuses
        return session.fail(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())

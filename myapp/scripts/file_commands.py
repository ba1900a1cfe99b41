"""The commands that write or open revision files."""

from typing import Any

import click

from .arguments import REVISION
from .cli import cli
from .group import option
from .session import Session


@cli.command("revision", connects=True)
@option("-m", "--message", help="What the revision does.")
@option("--autogenerate", is_flag=True, help="Fill it from the models' differences.")
@option("--sql", is_flag=True, help="Write env.py's SQL to standard output as well.")
@option("--head", default="head", type=REVISION, help="The head or BRANCH@head to follow.")
@option("--splice", is_flag=True, help="Allow a --head that is not a head.")
@option("--branch-label", help="A label for the branch that starts here.")
@option("--version-path", help="The folder of `version_locations` to write to.")
@option("--rev-id", help="The revision's id, instead of one made up.")
@option("--depends-on", multiple=True, type=REVISION, help="A revision that must run before.")
@option(
    "--rename",
    "renames",
    multiple=True,
    metavar="[TABLE.]OLD:NEW",
    help="A column or table that has a new name.",
)
@click.pass_obj
def revision(session: Session, /, message: str | None, **options: Any) -> object:
    """Write a new revision file."""
    from ..migrator.commands import authoring
    from .questions import author

    context = session.context()
    return authoring.revision(context, message, author=author(session), **options)


@cli.command("merge")
@click.argument("revisions", type=REVISION, nargs=-1, metavar="REVISIONS...")
@option("-m", "--message", help="What the revision does.")
@option("--branch-label", help="A label for the branch that starts here.")
@option("--rev-id", help="The revision's id, instead of one made up.")
@option("--splice", is_flag=True, help="Allow REVISIONS that are not heads.")
@click.pass_obj
def merge(
    session: Session, /, revisions: tuple[str, ...], message: str | None, **options: Any
) -> object:
    """Write a revision that joins REVISIONS, such as `heads`."""
    from ..migrator.commands import authoring

    context = session.context()
    return authoring.merge(context, revisions, message, **options)


@cli.command("edit", connects=True)
@click.argument("revision", type=REVISION)
@click.pass_obj
def edit(session: Session, revision: str) -> object:
    """Open the files of REVISION in $EDITOR."""
    from ..migrator.commands import editing

    return editing.edit(session.context(), revision)


@cli.command("init")
@click.argument("directory")
@option("-t", "--template", default="pyramid", help="A template that `list-templates` names.")
@option("--package", is_flag=True, help="Make it a Python package.")
@click.pass_obj
def init(session: Session, directory: str, template: str, package: bool) -> object:
    """Make a migrations folder; show the .ini lines it needs."""
    from ..migrator.commands import scaffold

    return scaffold.init(session.context(), directory, template=template, package=package)


@cli.command("list-templates")
@click.pass_obj
def list_templates(session: Session) -> object:
    """List the templates of `init`."""
    from ..migrator.commands import scaffold

    return {"templates": scaffold.templates()}

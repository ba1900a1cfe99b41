"""The command group: CONFIG_URI, its variables, and what stands before them."""

import click

from .. import __version__
from .arguments import complete_file
from .group import IniGroup, Option


@click.group(cls=IniGroup, context_settings={"max_content_width": 100})
@click.argument("config_uri", shell_complete=complete_file)
@click.version_option(__version__, "--version", message="myapp-migrate %(version)s", cls=Option)
def cli(config_uri: str) -> None:
    """Migrate the database of the Pyramid application that CONFIG_URI configures.

    CONFIG_URI is the application's .ini file, `development.ini` or `development.ini#name`.
    MYAPP_MIGRATE_INI names it where none is typed. NAME=VALUE pairs after it are its variables, as
    in Pyramid's own scripts.
    """

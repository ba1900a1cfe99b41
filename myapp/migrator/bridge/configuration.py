"""From settings to Alembic's `Config`, in memory, and from a `Config` back to what it carries."""

import os
import socket
import sys
from argparse import Namespace
from collections.abc import Sequence
from configparser import Error as IniError

import alembic.command
from alembic.config import Config

from ..base.canceller import Canceller
from ..base.results import VersionTable
from ..base.watcher import Watcher
from ..database.url import engine_url
from ..revisions.files import Reading
from ..settings.ini_errors import bad_syntax
from ..settings.settings import Settings, load_settings
from .context import LONGEST_NAME, RunContext

_CONTEXT = "migrate.context"


def build_context(
    settings: Settings,
    *,
    x: Sequence[str] = (),
    application: str = "alembic",
    canceller: Canceller | None = None,
    watcher: Watcher | None = None,
    command: str | None = None,
    reading: Reading | None = None,
    table: VersionTable | None = None,
    **cmd_opts: object,
) -> RunContext:
    """Build the context of a command with `settings`, and Alembic's `Config` in it.

    Other arguments go into the `RunContext`. `command` and `cmd_opts` are what an
    `env.py` may look for in `config.cmd_opts`, such as `autogenerate`; those that stand for every
    command are added.

    Raises SettingsError when the URL is wrong, or Alembic can't read the .ini file.
    """
    if command:
        # As Alembic's own parser leaves it; a command that Alembic doesn't have only reads.
        function = getattr(alembic.command, command.replace("-", "_"), alembic.command.current)
        cmd_opts["cmd"] = (function, [], [])
    config = Config(
        file_=str(settings.path),
        # Alembic's own default for `stdout` binds when its module is imported.
        stdout=sys.stdout,
        cmd_opts=Namespace(
            **{
                "config": [str(settings.path)],
                "name": "alembic",
                "quiet": False,
                "raiseerr": False,
                "x": list(x) or None,
                **cmd_opts,
            }
        ),
        config_args={"__file__": str(settings.path), **settings.config_vars},
    )
    for name, value in settings.alembic.items():
        _set(config, name, value)
    if settings.has_url:
        url = engine_url(settings.url).render_as_string(hide_password=False)
        _set(config, "sqlalchemy.url", url)
    context = RunContext(
        config=config,
        settings=settings,
        application=_application(application),
        canceller=canceller or Canceller(),
        watcher=watcher or Watcher(),
        reading=reading,
        table=table,
    )
    config.attributes[_CONTEXT] = context
    return context


def context_of(config: Config) -> RunContext:
    """Return the context that `config` was built for, as an `env.py` has it.

    A `Config` that was built otherwise, by the `alembic` command, has its .ini file read.
    """
    context: RunContext | None = config.attributes.get(_CONTEXT)
    if context is None:
        settings = load_settings(str(config.config_file_name))
        context = config.attributes[_CONTEXT] = RunContext(config=config, settings=settings)
    return context


def _application(name: str) -> str:
    """Return the name of this process, not longer than PostgreSQL keeps it."""
    pid = f":{os.getpid()}"
    return f"{name} {socket.gethostname()}"[: LONGEST_NAME - len(pid)] + pid


def _set(config: Config, name: str, value: str) -> None:
    try:
        # ConfigParser reports a lone `%` with the whole value in its message: a URL, its password
        # too.
        config.set_main_option(name, value.replace("%", "%%"))
    except IniError as error:
        # Alembic's parser is stricter than PasteDeploy's: for it, `Key` and `key` are the same.
        raise bad_syntax(str(config.config_file_name), error) from None

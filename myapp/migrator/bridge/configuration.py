"""From settings to Alembic's `Config`, in memory, and from a `Config` back to what it carries."""

import os
import socket
import sys
from argparse import Namespace
from collections.abc import Sequence
from configparser import Error as IniError
from typing import cast

import alembic.command
from alembic.config import Config

from ..base.canceller import Canceller
from ..base.watcher import Watcher
from ..database.url import engine_url
from ..revisions.files import Reading
from ..settings.ini import bad_syntax
from ..settings.settings import Settings, load_settings

_SETTINGS = "migrate.settings"
_APPLICATION = "migrate.application"
_CANCELLER = "migrate.canceller"
_WATCHER = "migrate.watcher"
_READING = "migrate.reading"
_HEADS = "migrate.heads"
_LONGEST_NAME = 63


def build_config(
    settings: Settings,
    *,
    x: Sequence[str] = (),
    application: str = "alembic",
    canceller: Canceller | None = None,
    watcher: Watcher | None = None,
    command: str | None = None,
    reading: Reading | None = None,
    heads: tuple[str, ...] | None = None,
    **cmd_opts: object,
) -> Config:
    """Build the `Config` for `settings`.

    `application` is the name under which a run is seen in the database; `canceller` stops its
    statement; `watcher` hears of its progress. `reading` is what the revision files say, and
    `heads` is where the database stands, for a caller who has just read them. `command` and
    `cmd_opts` are what an `env.py` may look for in `config.cmd_opts`, such as `autogenerate`; those
    that stand for every command are added.

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
        attributes={
            _SETTINGS: settings,
            _APPLICATION: _application(application),
            _CANCELLER: canceller or Canceller(),
            _WATCHER: watcher or Watcher(),
            _READING: reading,
            _HEADS: heads,
        },
    )
    for name, value in settings.alembic.items():
        _set(config, name, value)
    if settings.has_url:
        url = engine_url(settings.url).render_as_string(hide_password=False)
        _set(config, "sqlalchemy.url", url)
    return config


def settings_of(config: Config) -> Settings:
    """Return the settings that `config` was built from.

    A `Config` that was built otherwise, by the `alembic` command, has its .ini file read.
    """
    settings = config.attributes.get(_SETTINGS)
    if settings is None:
        settings = config.attributes[_SETTINGS] = load_settings(str(config.config_file_name))
    return cast(Settings, settings)


def take_reading(config: Config) -> Reading | None:
    """Return what the revision files say, once: the next who asks may have written one."""
    return cast("Reading | None", config.attributes.pop(_READING, None))


def take_heads(config: Config) -> tuple[str, ...] | None:
    """Return where the database stands, once: the next who asks may have changed it."""
    return cast("tuple[str, ...] | None", config.attributes.pop(_HEADS, None))


def application_of(config: Config) -> str:
    """Return how a run calls itself: the program, the command, the host and the process."""
    return str(config.attributes.get(_APPLICATION, "alembic"))


def canceller_of(config: Config) -> Canceller:
    """Return what stops the statements of a run with `config`."""
    return cast(Canceller, config.attributes.setdefault(_CANCELLER, Canceller()))


def watcher_of(config: Config) -> Watcher:
    """Return who hears of the progress of a run with `config`."""
    return cast(Watcher, config.attributes.setdefault(_WATCHER, Watcher()))


def _application(name: str) -> str:
    """Return the name of this process, not longer than PostgreSQL keeps it."""
    pid = f":{os.getpid()}"
    return f"{name} {socket.gethostname()}"[: _LONGEST_NAME - len(pid)] + pid


def _set(config: Config, name: str, value: str) -> None:
    try:
        # ConfigParser reports a lone `%` with the whole value in its message: a URL, its password
        # too.
        config.set_main_option(name, value.replace("%", "%%"))
    except IniError as error:
        # Alembic's parser is stricter than PasteDeploy's: for it, `Key` and `key` are the same.
        raise bad_syntax(str(config.config_file_name), error) from None

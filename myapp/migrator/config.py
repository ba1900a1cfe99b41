"""From an .ini file to Alembic's `Config`, for those who call from Python."""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath

from alembic.config import Config

from .bridge.configuration import build_context
from .bridge.context import RunContext
from .settings.settings import load_settings


def alembic_config(
    config_uri: str | PathLike[str],
    config_vars: Mapping[str, str] | None = None,
    *,
    x: Sequence[str] = (),
) -> Config:
    """Return Alembic's `Config` for the application of `config_uri`, without an `alembic.ini`.

    It is the standard object, for use with `alembic.command`, pytest-alembic, alembic-utils or a
    script of one's own: `alembic.command.upgrade(alembic_config("development.ini"), "head")`.
    `config_vars` are the NAME=VALUE pairs of the command line, `x` the `-x` arguments.

    Raises SettingsError when the .ini file or a setting is wrong.
    """
    return run_context(config_uri, config_vars, x=x).config


def run_context(
    config_uri: str | PathLike[str],
    config_vars: Mapping[str, str] | None = None,
    *,
    x: Sequence[str] = (),
) -> RunContext:
    """Return what this package's own commands work with; takes and raises as `alembic_config`.

    `migrator.commands.migration.upgrade(run_context("development.ini"))` is one.
    """
    return build_context(load_settings(fspath(config_uri), config_vars), x=x)

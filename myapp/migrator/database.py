"""The engine, and what can be learnt of the database without changing it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy.exc
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, engine_from_config
from sqlalchemy.engine import Connection

from .config import settings_of, watcher_of
from .errors import DatabaseUnreachable, SettingsError
from .failures import environment_failed
from .patience import attempts
from .settings import Settings
from .sqlite import WRITES, make_transactional
from .url import engine_url, sqlite_file

_ENGINE = "migrate.engine"
_READ_ONLY = "migrate.read_only"


@contextmanager
def shared_engine(config: Config) -> Iterator[None]:
    """Let all connections that are opened within come from one engine, disposed of at the end."""
    if _ENGINE in config.attributes:
        yield
        return
    config.attributes[_ENGINE] = None
    try:
        yield
    finally:
        if made := config.attributes.pop(_ENGINE):
            made.dispose()


@contextmanager
def connect(config: Config) -> Iterator[Connection]:
    """Open a connection on which `migrator.environment` runs migrations.

    Raises SettingsError when the URL or an option is wrong, or the driver isn't installed.
    """
    with shared_engine(config):
        made = config.attributes[_ENGINE] or _make_engine(settings_of(config))
        config.attributes[_ENGINE] = made
        with made.connect() as connection:
            reads = config.attributes.get(_READ_ONLY)
            yield connection if reads else connection.execution_options(**{WRITES: True})


def database_name(config: Config) -> str:
    """Return the database's URL without its secrets."""
    url = engine_url(settings_of(config).url)
    return url.set(query={}).render_as_string(hide_password=True)


def missing_file(config: Config) -> str | None:
    """Return the path of the SQLite file that is yet to be made, or None."""
    settings = settings_of(config)
    path = sqlite_file(engine_url(settings.url))
    return path if path is not None and not os.path.exists(path) else None


def read_heads(config: Config, script: ScriptDirectory) -> tuple[str, ...]:
    """Return the revisions at which the database stands, creating nothing.

    They are asked through `env.py`, which alone knows the connection and the version table.

    Raises DatabaseUnreachable, SettingsError, or HistoryError when `env.py` fails.
    """
    told = None
    for is_last in attempts(settings_of(config).options.wait_db):
        if missing_file(config):
            return ()
        try:
            return _ask_heads(config, script)
        except DatabaseUnreachable as error:
            if is_last or not error.details["is_passing"]:
                raise
            if error.message != told:
                told = error.message
                watcher_of(config).notice(f"waiting for the database. {told}")
    raise AssertionError("attempts() ends with a last one")


def _ask_heads(config: Config, script: ScriptDirectory) -> tuple[str, ...]:
    heads: list[str] = []

    def keep(rev: Any, context: MigrationContext) -> list[Any]:
        heads.extend(rev)
        return []

    config.attributes[_READ_ONLY] = True
    try:
        with EnvironmentContext(config, script, fn=keep, dont_mutate=True):
            script.run_env()
    except Exception as error:
        raise environment_failed(error) from error
    finally:
        del config.attributes[_READ_ONLY]
    return tuple(heads)


def _make_engine(settings: Settings) -> Engine:
    url = engine_url(settings.url)
    options = dict(settings.engine_options) | {"sqlalchemy.url": url}
    try:
        made = engine_from_config(options, prefix="sqlalchemy.")
    except sqlalchemy.exc.NoSuchModuleError:
        raise SettingsError(
            f"`sqlalchemy.url` names `{url.drivername}`, which SQLAlchemy doesn't know.",
            hint="is it spelt right? A dialect of another package must be installed beside this.",
        ) from None
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"`sqlalchemy.url` needs the driver `{error.name}`, which is not installed.",
            hint=f"run `pip install {error.name}`, or name another driver in `sqlalchemy.url`.",
        ) from None
    except (TypeError, ValueError, sqlalchemy.exc.ArgumentError) as error:
        raise SettingsError(
            f"A `sqlalchemy.*` setting can't be used: {error}.",
            hint="see SQLAlchemy's `create_engine` for the options and their values.",
        ) from None
    if made.dialect.name == "sqlite":
        make_transactional(made)
    return made

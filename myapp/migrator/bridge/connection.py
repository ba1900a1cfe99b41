"""The engine of a run, and the connection on which `env.py` runs migrations."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.config import Config
from sqlalchemy.engine import URL, Connection

from ..database.absence import is_absent
from ..database.engine import make_engine, open_connection
from ..database.sqlite import WRITES
from ..database.url import engine_url, sqlite_file
from .configuration import settings_of
from .env_py import kept_env_py

ENGINE = "migrate.engine"
READ_ONLY = "migrate.read_only"
OPENED = "migrate.opened_url"


@contextmanager
def shared_engine(config: Config) -> Iterator[None]:
    """Let all connections that are opened within come from one engine, disposed of at the end."""
    if ENGINE in config.attributes:
        yield
        return
    config.attributes[ENGINE] = None
    with _pools_that_log_nothing(), kept_env_py(config):
        try:
            yield
        finally:
            if made := config.attributes.pop(ENGINE):
                made.dispose()


@contextmanager
def _pools_that_log_nothing() -> Iterator[None]:
    """Keep SQLAlchemy's traceback of a lost connection out of the story, which tells of it."""
    logger = logging.getLogger("sqlalchemy.pool")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def opened_url(config: Config) -> URL | None:
    """Return the URL of the database that `env.py` opened last time, or the .ini file's.

    The lock belongs to that database, whatever the .ini file says. None when neither is known.
    """
    url: URL | None = config.attributes.get(OPENED)
    settings = settings_of(config)
    return url or (engine_url(settings.url) if settings.has_url else None)


@contextmanager
def connect(config: Config) -> Iterator[Connection]:
    """Open a connection on which `migrator.environment` runs migrations.

    Raises SettingsError when the URL or an option is wrong, or the driver isn't installed.
    """
    with shared_engine(config):
        settings = settings_of(config)
        made = config.attributes[ENGINE] or make_engine(settings)
        config.attributes[ENGINE] = made
        with open_connection(made, settings) as connection:
            reads = config.attributes.get(READ_ONLY)
            yield connection if reads else connection.execution_options(**{WRITES: True})


def database_name(config: Config) -> str:
    """Return the database's URL without its secrets."""
    settings = settings_of(config)
    if not settings.has_url:
        return "the database of env.py"
    return engine_url(settings.url).set(query={}).render_as_string(hide_password=True)


def missing_file(config: Config) -> str | None:
    """Return the path of the SQLite file that is yet to be made, or None."""
    settings = settings_of(config)
    path = sqlite_file(engine_url(settings.url)) if settings.has_url else None
    return path if path is not None and is_absent(path) else None

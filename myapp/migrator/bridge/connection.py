"""The engine of a run, and the connection for `env.py`."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.engine import URL, Connection

from ..database.engine import make_engine, open_connection
from ..database.sqlite import WRITES
from ..database.url import engine_url
from .context import RunContext
from .env_py import kept_env_py


@contextmanager
def shared_engine(context: RunContext) -> Iterator[None]:
    """Use one engine for all connections within, and dispose of it at the end."""
    database = context.database
    if database.is_shared:
        yield
        return
    database.is_shared = True
    with _pools_that_log_nothing(), kept_env_py(context):
        try:
            yield
        finally:
            if database.engine:
                database.engine.dispose()
            database.is_shared, database.engine = False, None


@contextmanager
def _pools_that_log_nothing() -> Iterator[None]:
    """Silence SQLAlchemy's log of a lost connection, since our own error tells of it."""
    logger = logging.getLogger("sqlalchemy.pool")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def opened_url(context: RunContext) -> URL | None:
    """Return the URL of the database that `env.py` has opened, or else the .ini file's.

    None if neither is known.
    """
    settings, database = context.settings, context.database
    if database.found is not None:
        return database.found.url
    return database.url or (engine_url(settings.url) if settings.has_url else None)


def opened_engine(context: RunContext) -> Engine:
    """Return the engine with which `env.py` connects, or else one of the .ini file's settings.

    Raises what `connect` raises.
    """
    database = context.database
    if database.found is not None:
        return database.found
    database.engine = database.engine or make_engine(context.settings)
    return database.engine


@contextmanager
def connect(context: RunContext) -> Iterator[Connection]:
    """Open a connection on which `migrator.environment` runs migrations.

    Raises SettingsError when the URL or an option is wrong, or the driver isn't installed.
    """
    with shared_engine(context):
        settings, database = context.settings, context.database
        database.engine = database.engine or make_engine(settings)
        with open_connection(database.engine, settings) as connection:
            options = {} if database.only_reads else {WRITES: True}
            yield connection.execution_options(**options)

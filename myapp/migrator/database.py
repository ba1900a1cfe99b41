"""The engine, and what can be learnt of the database without changing it."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, Connection, Dialect
from sqlalchemy.exc import ArgumentError

from .config import settings_of
from .engine import make_engine, open_connection
from .errors import HistoryError
from .failures import told_as_errors
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
        settings = settings_of(config)
        made = config.attributes[_ENGINE] or make_engine(settings)
        config.attributes[_ENGINE] = made
        with open_connection(made, settings) as connection:
            reads = config.attributes.get(_READ_ONLY)
            yield connection if reads else connection.execution_options(migrate_writes=True)


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
    return path if path is not None and not os.path.exists(path) else None


def read_heads(
    config: Config, script: ScriptDirectory, *, patience: int | None = None
) -> tuple[str, ...]:
    """Return the revisions at which the database stands, creating nothing.

    `patience` is how many seconds PostgreSQL may take to answer, where the URL doesn't say.

    Raises DatabaseUnreachable, SettingsError, or HistoryError when `env.py` fails.
    """

    def hurry(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> None:
        if dialect.name == "postgresql" and dialect.driver in ("psycopg2", "psycopg"):
            cparams.setdefault("connect_timeout", patience)

    if patience is None:
        return union(read_each(config, script))
    event.listen(Engine, "do_connect", hurry)
    try:
        return union(read_each(config, script))
    finally:
        event.remove(Engine, "do_connect", hurry)


def read_each(config: Config, script: ScriptDirectory) -> list[tuple[str, ...]]:
    """Return where each database stands that `env.py` opens: one, but for the template multidb.

    They are asked through `env.py`, which alone knows the connection and the version table.

    Raises what `read_heads` raises.
    """
    found: list[tuple[str, ...]] = []

    def keep(rev: Any, context: MigrationContext) -> list[Any]:
        found.append(tuple(rev))
        return []

    config.attributes[_READ_ONLY] = True
    event.listen(Engine, "do_connect", _refuse_to_create)
    try:
        with told_as_errors():
            try:
                with EnvironmentContext(config, script, fn=keep, dont_mutate=True):
                    script.run_env()
            except _NoFile:
                found.append(())
            except (ArgumentError, KeyError):
                engine_url(settings_of(config).url)  # where env.py misses that, this tells
                raise
    finally:
        event.remove(Engine, "do_connect", _refuse_to_create)
        del config.attributes[_READ_ONLY]
    if not found:
        raise HistoryError(
            "env.py ended without running Alembic, so nothing is known of the database.",
            hint="let it call `context.configure()` and `context.run_migrations()`.",
        )
    return found


def union(each: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return the heads of several databases as if they were one's."""
    return tuple(dict.fromkeys(chain.from_iterable(each)))


class _NoFile(Exception):
    """An SQLite database that is yet to be made: connecting would make it."""


def _refuse_to_create(dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> None:
    if dialect.name == "sqlite" and cargs:
        path = sqlite_file(URL.create("sqlite", database=str(cargs[0])))
        can_be_made = path is not None and os.path.isdir(os.path.dirname(os.path.abspath(path)))
        if path is not None and can_be_made and not os.path.exists(path):
            raise _NoFile

"""The engine that the settings describe."""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, engine_from_config, event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from ..base.errors import DatabaseUnreachable, SettingsError
from ..base.spelling import nearest
from ..settings.settings import Settings
from .absence import why_not_opened
from .connecting import connect_in_a_thread
from .failures import described, first_line
from .listening import INTERNAL
from .sqlite import make_transactional
from .url import engine_url, sqlite_file

_DIALECTS = ("postgresql", "sqlite", "mysql", "mariadb", "oracle", "mssql")
#: The package to install, where it has another name than the driver's module.
_PACKAGES = {"MySQLdb": "mysqlclient", "psycopg": "psycopg[binary]"}


def make_engine(settings: Settings) -> Engine:
    """Return an engine for `settings`, not connected yet.

    Raises SettingsError when the URL or an option is wrong, or the driver isn't installed.
    """
    url = engine_url(settings.url)
    _check(url)
    options = dict(settings.engine_options) | {"sqlalchemy.url": url}
    try:
        made = engine_from_config(options, prefix="sqlalchemy.")
    except ModuleNotFoundError as error:
        raise _no_driver(error) from None
    except Exception as error:
        raise _bad_option(settings, error) from error
    if made.dialect.name == "sqlite":
        make_transactional(made)
    if made.dialect.name == "postgresql":
        event.listen(made, "do_connect", connect_in_a_thread)
    return made


def own_engine(theirs: Engine, made: Callable[[Any], None] | None = None) -> Engine:
    """Return an engine for this package's own questions, which connects as `theirs` does.

    Only `theirs` knows how: by its URL, `connect_args`, `creator`, or a listener that gives each
    connection a fresh password. `made` is called with each of the driver's connections, before
    anything is asked on it.
    """

    def connect() -> Any:
        # Not a connection of their pool: the migration may need the last one.
        pool = theirs.pool.recreate()
        if made is not None:
            event.listen(pool, "connect", lambda opened, record: made(opened), insert=True)
        taken = pool.connect()
        dbapi_connection: Any = taken.dbapi_connection
        taken.detach()
        dbapi_connection.commit()  # a listener may have begun a transaction
        return dbapi_connection

    return create_engine(
        theirs.url,
        creator=connect,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        execution_options={INTERNAL: True},
    )


def engine_at(url: URL) -> Engine:
    """Return an engine of the PostgreSQL database at `url`, which has no options but the URL's.

    Raises SettingsError, about `sqlalchemy.url`, when its driver is unknown or isn't installed.
    """
    _check(url)
    try:
        return create_engine(url, poolclass=NullPool)
    except ModuleNotFoundError as error:
        raise _no_driver(error) from None


def open_connection(made: Engine, settings: Settings) -> Connection:
    """Connect.

    Raises SettingsError when an option is wrong, which some drivers find out only now, and
    DatabaseUnreachable when an SQLite file can't be opened.
    """
    try:
        return made.connect()
    except DBAPIError as error:
        if path := sqlite_file(made.url):
            raise _unopened(os.path.abspath(path), error) from error
        raise
    except (SQLAlchemyError, AttributeError, RecursionError, TypeError, ValueError) as error:
        raise _bad_option(settings, error) from error


def server_version(connection: Connection) -> str:
    """Return the version of the server, as `15.4`; empty where its driver doesn't tell."""
    return ".".join(map(str, connection.dialect.server_version_info or ()))


def _no_driver(error: ModuleNotFoundError) -> SettingsError:
    package = _PACKAGES.get(str(error.name), error.name)
    return SettingsError(
        f"`sqlalchemy.url` needs the driver `{error.name}`, which is not installed.",
        hint=f"run `pip install '{package}'`, or name another driver in `sqlalchemy.url`.",
    )


def _check(url: URL) -> None:
    try:
        is_async = url.get_dialect().is_async
    except NoSuchModuleError:
        near = nearest(url.get_backend_name(), _DIALECTS)
        is_known = near == url.get_backend_name()
        raise SettingsError(
            f"`sqlalchemy.url` names `{url.drivername}`, which SQLAlchemy doesn't know.",
            hint=f"did you mean `{near}`?"
            if near and not is_known
            else "is it spelt right? A dialect of another package must be installed beside this.",
        ) from None
    if is_async:
        raise SettingsError(
            f"`sqlalchemy.url` names `{url.drivername}`, an asynchronous driver, and migrations"
            " run without one.",
            hint=f"write `{url.get_backend_name()}://`, or let env.py make its own engine"
            " (`{cmd} init -t async FOLDER`).",
        )
    if url.get_backend_name() == "sqlite" and url.host:
        raise SettingsError(
            "`sqlalchemy.url` names a host, and SQLite has none.",
            hint="write three slashes before the file's path: `sqlite:///%(here)s/app.sqlite`.",
        )


def _unopened(path: str, error: DBAPIError) -> DatabaseUnreachable:
    return DatabaseUnreachable(
        f"The SQLite file {path} can't be opened: {why_not_opened(path) or first_line(error)}.",
        hint="let this user read it; a command that changes the database writes it and its folder."
        if os.path.isfile(path)
        else "fix the path in `sqlalchemy.url`, or make the folder and let this user write there.",
        retryable=False,
    )


def _bad_option(settings: Settings, error: BaseException) -> SettingsError:
    """Return the error of an option that SQLAlchemy can't use, with its name if that is known."""
    said = first_line(error)
    hint = "`create_engine` in SQLAlchemy's documentation lists the options and their values."
    for key, value in settings.engine_options.items():
        if f"'{key.removeprefix('sqlalchemy.')}'" in str(error):
            return SettingsError(
                f"`{key}` is not an option of SQLAlchemy's engine for this database.", hint=hint
            )
        if repr(value) in str(error):
            return SettingsError(f"`{key} = {value}` can't be used: {said}.", hint=hint)
    return SettingsError(f"A `sqlalchemy.*` setting can't be used: {described(error)}.", hint=hint)

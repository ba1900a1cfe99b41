"""The engine that the settings describe."""

from difflib import get_close_matches

from sqlalchemy import Engine, engine_from_config
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from .errors import SettingsError
from .failures import described, first_line
from .settings import Settings
from .sqlite import make_transactional
from .url import engine_url

_DIALECTS = ("postgresql", "sqlite", "mysql", "mariadb", "oracle", "mssql")
#: Where a driver's module has another name than the package to install.
_PACKAGES = {"MySQLdb": "mysqlclient", "psycopg": "psycopg[binary]"}


def make_engine(settings: Settings) -> Engine:
    """Return an engine for `settings`, not connected yet.

    Raises SettingsError when the URL or an option is wrong, or the driver isn't installed.
    """
    url = engine_url(settings.url)
    _check_dialect(url)
    options = dict(settings.engine_options) | {"sqlalchemy.url": url}
    try:
        made = engine_from_config(options, prefix="sqlalchemy.")
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(str(error.name), error.name)
        raise SettingsError(
            f"`sqlalchemy.url` needs the driver `{error.name}`, which is not installed.",
            hint=f"run `pip install '{package}'`, or name another driver in `sqlalchemy.url`.",
        ) from None
    except Exception as error:
        raise _bad_option(settings, error) from error
    if made.dialect.name == "sqlite":
        make_transactional(made)
    return made


def open_connection(made: Engine, settings: Settings) -> Connection:
    """Connect; raises SettingsError when an option turns out to be wrong only now."""
    try:
        return made.connect()
    except DBAPIError:
        raise
    except (SQLAlchemyError, AttributeError, RecursionError, TypeError, ValueError) as error:
        raise _bad_option(settings, error) from error


def _check_dialect(url: URL) -> None:
    try:
        is_async = url.get_dialect().is_async
    except NoSuchModuleError:
        near = get_close_matches(url.get_backend_name(), _DIALECTS, 1)
        is_known = near and near[0] == url.get_backend_name()
        raise SettingsError(
            f"`sqlalchemy.url` names `{url.drivername}`, which SQLAlchemy doesn't know.",
            hint=f"is `{near[0]}` meant?"
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


def _bad_option(settings: Settings, error: BaseException) -> SettingsError:
    """Return the error of an option that SQLAlchemy can't use, named where its words tell which."""
    said = first_line(error)
    hint = "`create_engine` in SQLAlchemy's documentation lists the options and their values."
    for key, value in settings.engine_options.items():
        if f"'{key.removeprefix('sqlalchemy.')}'" in said:
            return SettingsError(
                f"`{key}` is not an option of SQLAlchemy's engine for this database.", hint=hint
            )
        if repr(value) in said:
            return SettingsError(f"`{key} = {value}` can't be used: {said}.", hint=hint)
    return SettingsError(f"A `sqlalchemy.*` setting can't be used: {described(error)}.", hint=hint)

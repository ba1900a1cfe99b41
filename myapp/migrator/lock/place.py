"""Where PostgreSQL's advisory lock is taken."""

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ..base.errors import MigrateError, SettingsError
from ..database.engine import engine_at
from ..database.failures import database_failed
from ..database.hints import TWO_CONNECTIONS
from ..database.url import engine_url, naming
from ..settings.settings import Settings

_LOCK_URL = "`migrate.lock_url`"


def lock_engine(settings: Settings, theirs: Engine) -> Engine:
    """Return the engine that leads to the lock: `theirs`, or that of `migrate.lock_url`.

    Raises SettingsError when `migrate.lock_url` is wrong.
    """
    if not settings.options.lock_url:
        return theirs
    url = engine_url(settings.options.lock_url, _LOCK_URL)
    if url.get_backend_name() != "postgresql":
        raise SettingsError(
            "`migrate.lock_url` is not a PostgreSQL URL, but `sqlalchemy.url` is.",
            hint="let both name the same server and database.",
        )
    try:
        return engine_at(url)
    except SettingsError as error:
        raise naming(error, _LOCK_URL) from None


def failed(error: DBAPIError, settings: Settings) -> MigrateError:
    """Return the error of what the database refused, with the name of the setting to fix."""
    told = database_failed(error)
    return naming(told, _LOCK_URL) if settings.options.lock_url else told


def elsewhere(settings: Settings) -> SettingsError:
    """Return the error of a lock that is not on the database that is about to be migrated."""
    if settings.options.lock_url:
        return SettingsError(
            "`migrate.lock_url` leads to another database than `sqlalchemy.url`, so its lock"
            " would keep no one out.",
            hint="let both name the same server and database.",
        )
    return SettingsError(
        "A second connection of env.py's engine led to another database than the first, so the"
        " lock would keep no one out.",
        hint="let all connections of an engine lead to one server and database, or name it in"
        " `migrate.lock_url`.",
    )


def short_of_connections(error: MigrateError) -> MigrateError:
    """Return `error`, which met the second connection of a run, with what a run needs."""
    if TWO_CONNECTIONS not in (error.hint or ""):
        error.hint = f"{error.hint} {TWO_CONNECTIONS}" if error.hint else TWO_CONNECTIONS
    return error

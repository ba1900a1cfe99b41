"""The server and the keys of PostgreSQL's advisory lock."""

import hashlib

from sqlalchemy import text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError

from ..base.errors import MigrateError, SettingsError
from ..database.failures import database_failed
from ..database.url import engine_url
from ..settings.settings import Settings


def lock_url(settings: Settings, opened: URL) -> URL:
    """Return the URL at which the lock of the database at `opened` is taken.

    Raises SettingsError when `migrate.lock_url` is wrong.
    """
    if not settings.options.lock_url:
        return opened
    try:
        url = engine_url(settings.options.lock_url)
    except SettingsError as error:
        raise SettingsError(
            error.message.replace("sqlalchemy.url", "migrate.lock_url"), hint=error.hint
        ) from None
    if url.get_backend_name() != "postgresql":
        raise SettingsError(
            "`migrate.lock_url` is not a PostgreSQL URL, but `sqlalchemy.url` is.",
            hint="let both name the same server and database.",
        )
    return url


def failed(error: DBAPIError, settings: Settings) -> MigrateError:
    """Return the error of what the database refused, with the name of the setting to fix."""
    told = database_failed(error)
    if settings.options.lock_url:
        told.hint = (told.hint or "").replace("sqlalchemy.url", "migrate.lock_url")
    return told


def keys(connection: Connection, settings: Settings) -> tuple[int, int]:
    """Return two 64-bit keys for this version table: the writer's, and a running statement's."""
    schema = settings.alembic.get("version_table_schema") or connection.scalar(
        text("SELECT current_schema()")
    )
    table = settings.alembic.get("version_table", "alembic_version")
    return _key(f"writer {schema}.{table}"), _key(f"running {schema}.{table}")


def _key(name: str) -> int:
    digest = hashlib.sha256(f"migrate {name}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)

"""What a database's or an `env.py`'s exception means, in this package's errors."""

import traceback

import sqlalchemy.exc

from .errors import (
    DatabaseUnreachable,
    HistoryError,
    MigrateError,
    SettingsError,
)
from .results import Revision

#: SQLSTATE of an unknown schema (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_INVALID_SCHEMA_NAME = "3F000"


def environment_failed(error: BaseException) -> MigrateError:
    """Tell why `env.py` failed before any migration ran."""
    if isinstance(error, MigrateError):
        return error
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        return database_failed(error)
    if isinstance(error, ModuleNotFoundError) and error.name == "psycopg":
        return SettingsError(
            "This application's env.py makes its own engine, and SQLAlchemy 2.1 takes a bare"
            " `postgresql://` for the driver psycopg, which is not installed.",
            hint="write `postgresql+psycopg2://` in `sqlalchemy.url`.",
        )
    reason = first_line(error)
    return HistoryError(
        f"env.py failed before any migration ran: {type(error).__name__}: {reason}.",
        hint="run again with `--traceback` before CONFIG_URI to see where.",
    )


def database_failed(error: sqlalchemy.exc.DBAPIError) -> MigrateError:
    """Tell what the database refused, outside any migration."""
    reason = first_line(error)
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    if state == _INVALID_SCHEMA_NAME:
        return SettingsError(
            f"The version table's schema doesn't exist: {reason}.",
            hint="create it (`CREATE SCHEMA ...`), or mend `alembic.version_table_schema`.",
        )
    if "readonly database" in reason:
        return DatabaseUnreachable(
            "The database can't be written: its file, or the folder it stands in, is read-only.",
            hint="give this user the right to write both; SQLite writes a journal beside the file.",
        )
    return DatabaseUnreachable(f"The database can't be used: {reason}.", hint=_hint(reason))


def _hint(reason: str) -> str:
    hints = {
        "password authentication failed": "mend the user or the password in `sqlalchemy.url`.",
        "no password supplied": "put it into `sqlalchemy.url`, as `${DATABASE_PASSWORD}`.",
        "does not exist": "create it (`createdb NAME`), or mend `sqlalchemy.url`.",
        "could not translate host name": "mend the host in `sqlalchemy.url`.",
        "starting up": "it is starting up: try again in a moment.",
        "unable to open database file": "the folder must exist, and be writable.",
        "not a database": "`sqlalchemy.url` names a file that is no SQLite database.",
    }
    for text, hint in hints.items():
        if text in reason:
            return hint
    return "is the server running, and are host and port in `sqlalchemy.url` right?"


def first_line(error: BaseException) -> str:
    """Return what `error` says, in one line and without SQLAlchemy's additions."""
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(original).__name__


def reason_of(error: BaseException) -> str:
    """Return why a migration failed, with the SQL statement that the database refused."""
    reason = first_line(error)
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        statement = " ".join(str(error.statement or "").split())
        shown = f" (in: {statement[:150]}{'...' if len(statement) > 150 else ''})"
        return reason + (shown if statement else "")
    return f"{type(error).__name__}: {reason}" if str(error) else type(error).__name__


def where_in(revision: Revision, error: BaseException) -> str:
    """Return the revision's file, with the line that failed where that is known."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == revision.path:
            return f"{revision.path} (line {frame.lineno})"
    return revision.path

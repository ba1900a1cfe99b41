"""Turn a database's exception into an error of this package."""

import re

from sqlalchemy.exc import DBAPIError

from ..base.errors import DatabaseUnreachable, MigrateError, SettingsError
from ..settings.redaction import redacted

_LONGEST = 500

# Patterns for what drivers say, and hints. The SQLSTATEs are PostgreSQL's
# (https://www.postgresql.org/docs/current/errcodes-appendix.html). A refused connection has none.
_NO_SCHEMA = r"^3F000|unknown database"
_NO_VERSION_COLUMN = r"^42703.*version_num|no such column: .*version_num"
_FULL = r"^53300|too many (connections|clients)|connection slots"
_READ_ONLY = r"^25006|readonly database"
#: A lock of another session was in the way.
BUSY = r"^55P03|^40P01|database is locked"
#: SQLite's name for a file that another process is writing.
BUSY_FILE = "SQLITE_BUSY"
#: Codes of failures that may succeed a moment later, each with its reason in words.
RETRYABLE = {
    "55P03": "a lock was not to be had in time",
    "40P01": "of a deadlock",
    "40001": "of a serialization failure",
    BUSY_FILE: "another process was writing",
}
# The messages of a server that is not up yet, or is busy.
_PASSING = (
    r"starting up|shutting down|recovery mode|accepting connections|connection slots"
    r"|too many (connections|clients)"
    r"|could not translate host name|database is locked|terminating connection"
)
_REFUSED = r"connection to server .* failed|timeout expired|server closed"
_FINAL = r"FATAL:|no password supplied|SSL|certificate"
_BAD_PARAMETER = r"invalid (dsn|port number|\w+ value)|unrecognized configuration parameter"
#: What a run needs, and the way out where that is not to be had.
TWO_CONNECTIONS = (
    "A run needs two connections at once, one of them for the lock. Where there is only one, set"
    " `migrate.lock = session`."
)
_HINTS = {
    r"password authentication failed": "fix the user or the password in `sqlalchemy.url`.",
    r'role "(.*)" does not exist': "fix the user in `sqlalchemy.url`.",
    r"no password supplied": "put it into `sqlalchemy.url`, as `${DATABASE_PASSWORD}`.",
    r'database "(.*)" does not exist': r"create it (`createdb \1`), or fix `sqlalchemy.url`.",
    r"could not translate host name": "fix the host in `sqlalchemy.url`.",
    r"starting up|shutting down|recovery mode": "try again in a moment.",
    r"too many connections for": f"try again when others have disconnected. {TWO_CONNECTIONS}",
    r"too many (connections|clients)|connection slots": "try again when others have disconnected.",
    r"^42501|permission denied": "GRANT it to the user in `sqlalchemy.url`, or name another user.",
    r"pg_hba.conf": "the server's pg_hba.conf must admit this host, user and database.",
    r"SSL|certificate": "fix `sslmode` and the certificates in `sqlalchemy.url`.",
    r"timeout expired": "are host and port in `sqlalchemy.url` right, and does no firewall drop"
    " what is sent there? With `?connect_timeout=30` it waits longer.",
    r"connection to server|server closed": "is the server running, and are host"
    " and port in `sqlalchemy.url` right?",
    r"unable to open database file": "this user must be allowed to write the file and its folder.",
    r"not a database": "`sqlalchemy.url` names a file that is no SQLite database.",
    BUSY: "another session holds a lock: try again when it has ended.",
}


def database_failed(error: DBAPIError) -> MigrateError:
    """Return the error of something that the database refused outside any migration."""
    reason = first_line(error)
    if matches(_NO_SCHEMA, error):
        return SettingsError(
            f"The version table's schema doesn't exist: {reason}.",
            hint="take `alembic.version_table_schema` out: SQLite has no schemas."
            if "unknown database" in reason
            else "create it (`CREATE SCHEMA ...`), or fix `alembic.version_table_schema`.",
        )
    if matches(_NO_VERSION_COLUMN, error):
        return SettingsError(
            f"The version table is a table of something else: {reason}.",
            hint="fix `alembic.version_table`; without it, the table is `alembic_version`.",
        )
    if matches(_BAD_PARAMETER, error):
        return SettingsError(
            f"`sqlalchemy.url` has a parameter that can't be used: {reason}.",
            hint="fix the port, or what stands after `?`.",
        )
    if is_read_only(error):
        return DatabaseUnreachable(
            f"The database can't be written: {reason}.",
            hint="is this user allowed to write the file and its folder?"
            if "readonly" in reason
            else "name the primary server in `sqlalchemy.url`: this one, or this user, only reads.",
        )
    return DatabaseUnreachable(
        f"The database can't be used: {reason}.", hint=_hint(error), retryable=_is_retryable(error)
    )


def is_full(error: BaseException) -> bool:
    """Tell whether a driver's error says that the server, or this role, has no connection free."""
    return matches(_FULL, DBAPIError("", None, error)) is not None


def is_read_only(error: BaseException) -> bool:
    """Tell whether the error says that the database can't be written at all."""
    return isinstance(error, DBAPIError) and matches(_READ_ONLY, error) is not None


def described(error: BaseException) -> str:
    """Return the kind of an exception and what it says, in one line."""
    said = first_line(error)
    name = type(error).__name__
    return name if said == name else f"{name}: {said}"


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a driver's error, or of the one that SQLAlchemy wraps."""
    original = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    return str(state) if state else None


def first_line(error: BaseException) -> str:
    """Return what `error` says, in one line, without secrets and SQLAlchemy's additions."""
    original = getattr(error, "orig", None) or error
    line = _telling_line(redacted(str(original))) or type(original).__name__
    return line.rstrip(".") if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _telling_line(said: str) -> str:
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    # libpq reports each address that it tried. The answer of a server says the most.
    return next((line for line in lines if "FATAL:" in line), next(iter(lines), ""))


def reason_of(error: BaseException) -> str:
    """Return why a migration failed, with the SQL statement that the database refused."""
    if isinstance(error, MigrateError):
        return error.message.rstrip(".")
    if not isinstance(error, DBAPIError):
        return described(error)
    reason = first_line(error)
    if detail := re.search(r"^DETAIL: +(.*?)\.?$", redacted(str(error.orig)), re.MULTILINE):
        reason = f"{reason}: {detail[1][:_LONGEST]}"
    statement = " ".join(redacted(str(error.statement or "")).split())
    shown = f" (in: {statement[:150]}{'...' if len(statement) > 150 else ''})"
    return reason + (shown if statement else "")


def error_code(error: BaseException) -> str | None:
    """Return PostgreSQL's SQLSTATE, or SQLite's name of an error."""
    original = getattr(error, "orig", None) or error
    for name in ("sqlstate", "pgcode", "sqlite_errorname"):
        if code := getattr(original, name, None):
            return BUSY_FILE if str(code).startswith(BUSY_FILE) else str(code)
    return None


def matches(pattern: str, error: DBAPIError) -> re.Match[str] | None:
    """Search `pattern` in the error's code and message, with a blank between them.

    The message may still hold secrets.
    """
    return re.search(pattern, f"{error_code(error) or ''} {_telling_line(str(error.orig))}")


def _is_retryable(error: DBAPIError) -> bool:
    """Tell whether the database may answer a moment later."""
    if matches(_PASSING, error):
        return True
    return bool(matches(_REFUSED, error)) and not matches(_FINAL, error)


def _hint(error: DBAPIError) -> str:
    for pattern, hint in _HINTS.items():
        if match := matches(pattern, error):
            return match.expand(hint)
    return "`--traceback` before CONFIG_URI shows the statement that was refused."

"""Turn a database's exception into an error of this package."""

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError

from ..base.errors import DatabaseUnreachable, MigrateError, SettingsError
from ..settings.redaction import redacted
from .diagnostics import detail, fields, message, said_besides
from .hints import hint_for
from .refusal import is_answer, refusal_of, undecoded

_LONGEST = 500

# Patterns for what drivers say, and hints. The SQLSTATEs are PostgreSQL's
# (https://www.postgresql.org/docs/current/errcodes-appendix.html). A refused connection has one if
# `refusal.py` has found it out.
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
    "55P03": "it could not get a lock in time",
    "40P01": "of a deadlock",
    "40001": "of a serialization failure",
    BUSY_FILE: "another process was writing",
}
#: Codes of a server that may do it a moment later: the connection is gone, resources are short, it
#: starts or stops, or the database isn't there yet.
_PASSING = ("08", "53", "57P0", "58", "3D000", *RETRYABLE)
# What libpq finds wrong before it asks any server. It speaks the language of the process, which is
# English unless env.py calls `locale.setlocale`.
_UNUSABLE = r"no password supplied|local user with ID|certificate file|private key file"
_BAD_PARAMETER = (
    r"invalid (dsn|port number|\w+ value)|could not match \d+ (port|host)|service file"
    r'|definition of service ".*" not found|unsupported startup parameter'
)
#: The same as a server says it: no such parameter, or not such a value.
_BAD_OPTION = ("42704", "22023", "55P02", "42601")
# For a refusal whose code can't be had.
_FINAL_IN_ENGLISH = r'password authentication failed|role ".*" does not exist'


def database_failed(error: DBAPIError) -> MigrateError:
    """Return the error of something that the database refused outside any migration."""
    reason = _line_and_detail(error)
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
    if _has_a_bad_parameter(error):
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
            retryable=False,
        )
    return DatabaseUnreachable(
        f"The database can't be used: {reason}.{said_besides(error, with_place=False)}",
        hint="another session holds a lock: try again when it has ended."
        if matches(BUSY, error)
        else hint_for(_code_and_line(error)),
        retryable=_is_retryable(error),
    )


def is_full(error: BaseException) -> bool:
    """Tell whether a driver's error says that the server, or this role, has no connection free."""
    return matches(_FULL, DBAPIError("", None, error)) is not None


def is_unreadable(error: BaseException) -> bool:
    """Tell whether the database answers, and this user can't read what was asked for, or nobody."""
    return (
        isinstance(error, DBAPIError)
        and bool(error.statement)
        and matches(rf"^42501|{_NO_VERSION_COLUMN}", error) is not None
    )


def is_read_only(error: BaseException) -> bool:
    """Tell whether the error says that the database can't be written at all."""
    return isinstance(error, DBAPIError) and matches(_READ_ONLY, error) is not None


def described(error: BaseException) -> str:
    """Return the kind of an exception and what it says, in one line."""
    error = undecoded(error) or error
    said = first_line(error)
    name = type(error).__name__
    return name if said == name else f"{name}: {said}"


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a driver's error, or of the one that SQLAlchemy wraps."""
    original = getattr(error, "orig", None) or error
    refusal = refusal_of(original)
    state = (
        getattr(original, "sqlstate", None)
        or getattr(original, "pgcode", None)
        or fields(original).get("C")
        or (refusal and refusal.sqlstate)
    )
    return str(state) if state else None


def first_line(error: BaseException) -> str:
    """Return what `error` says, in one line, without secrets and SQLAlchemy's additions."""
    original = getattr(error, "orig", None) or error
    line = _telling_line(original, redacted) or type(original).__name__
    # Nobody has to read the server's language, or its encoding, to look its code up.
    if not line.isascii() and (refusal := refusal_of(original)) and refusal.sqlstate:
        line = f"{line} (SQLSTATE {refusal.sqlstate})"
    return line.rstrip(".") if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _telling_line(original: BaseException, shown: Callable[[str], str] = str) -> str:
    said = shown(message(original) or str(original))
    lines = [line for line in said.splitlines() if line.strip()]
    # libpq reports each address that it tried. The answer of a server says the most. psycopg2 has
    # no code for such a text, as psycopg has none.
    is_libpqs = getattr(original, "pgcode", getattr(original, "sqlstate", "")) is None
    answers = filter(is_answer, lines) if is_libpqs else iter(())
    return " ".join(next(answers, next(iter(lines), "")).split())


def reason_of(error: BaseException) -> str:
    """Return why a migration failed, with the SQL statement that the database refused."""
    if isinstance(error, MigrateError):
        return error.message.rstrip(".")
    if not isinstance(error, DBAPIError):
        return described(error)
    reason = _line_and_detail(error)
    statement = " ".join(redacted(str(error.statement or "")).split())
    shown = f" (in: {statement[:150]}{'...' if len(statement) > 150 else ''})"
    return reason + (shown if statement else "")


def _line_and_detail(error: DBAPIError) -> str:
    said = detail(error)
    return f"{first_line(error)}: {said}" if said else first_line(error)


def error_code(error: BaseException) -> str | None:
    """Return PostgreSQL's SQLSTATE, or SQLite's name of an error."""
    original = getattr(error, "orig", None) or error
    code = sqlstate(original) or getattr(original, "sqlite_errorname", None)
    return BUSY_FILE if str(code).startswith(BUSY_FILE) else code


def matches(pattern: str, error: DBAPIError) -> re.Match[str] | None:
    """Search `pattern` in the error's code and message, with a blank between them.

    The message may still hold secrets.
    """
    return re.search(pattern, _code_and_line(error))


def _code_and_line(error: DBAPIError) -> str:
    original: Any = error.orig
    return f"{error_code(error) or ''} {_telling_line(original)}"


def _has_a_bad_parameter(error: DBAPIError) -> bool:
    refusal = refusal_of(error.orig)
    is_refused = refusal is not None and refusal.sqlstate in _BAD_OPTION
    return is_refused or matches(_BAD_PARAMETER, error) is not None


def _is_retryable(error: DBAPIError) -> bool:
    """Tell whether the database may answer a moment later.

    Where there is no connection yet, it may after everything but what waiting can't mend: what the
    server has refused for good, or what this machine lacks. A server that has accepted the
    connection must say itself that it can't at the moment.
    """
    code, refusal = error_code(error), refusal_of(error.orig)
    if refusal and refusal.sqlstate:
        return not refusal.is_final
    if code:
        return code.startswith(_PASSING)
    if error.statement and not error.connection_invalidated:
        return bool(matches(BUSY, error))
    return not matches(f"{_UNUSABLE}|{_FINAL_IN_ENGLISH}", error)

"""Read the version table with the bare driver, without SQLAlchemy, and create nothing.

It works for URLs of a plain shape only. For others, SQLAlchemy could read the URL in another way.
"""

import os
import re
import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from ..base.ask_alembic import AskAlembic
from ..base.results import VersionTable
from .absence import can_be_made, is_absent
from .libpq import in_a_thread, parameters
from .odd_rows import oddity

_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///(?P<path>[^?#%:]+)")
_POSTGRESQL = re.compile(
    r"postgres(?:ql)?(?:\+psycopg2)?://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<host>[\w.\-]*)(?::(?P<port>\d+))?/(?P<dbname>[\w\-]+)(?:\?(?P<query>[^#]*))?"
)
_PARAMETERS = {"host", "port", "application_name", "connect_timeout", "options", "password"}
_PARAMETERS |= {"sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs", "user"}
#: Seconds for the whole look, and for a lock. After that the ordinary path waits, for as long as
#: the settings say, and tells for what.
_LONGEST = 3.0
_FOR_A_LOCK = 0.3
#: SQLite then takes it that nobody writes. Used only where there is no log, and this user can't
#: make one.
_UNCHANGING = "mode=ro&immutable=1"


def shown(url: str) -> str:
    """Return `url` as SQLAlchemy writes it, without its query and with the password hidden.

    Raises AskAlembic when SQLAlchemy might write a part of it in another way.
    """
    if _SQLITE.fullmatch(url):
        return url
    match = _POSTGRESQL.fullmatch(url)
    if match is None or not re.fullmatch(r"[\w.\-]*", match["user"] or ""):
        raise AskAlembic("SQLAlchemy may write the URL otherwise")
    password = ":***" if match["password"] else ""
    user = f"{match['user']}{password}@" if match["user"] else ""
    port = f":{match['port']}" if match["port"] else ""
    return f"postgresql+psycopg2://{user}{match['host']}{port}/{match['dbname']}"


def read_version_table(
    url: str, table: str, schema: str | None, seconds: float | None = None
) -> VersionTable:
    """Return the version table; without rows if the table or the SQLite file is missing.

    `seconds` is how long that may take; it is never more than a few.

    Raises AskAlembic when the URL is of another shape, or the database doesn't answer in time.
    """
    if match := _SQLITE.fullmatch(url):
        if schema:
            raise AskAlembic("SQLite has schemas of another kind")
        path = match["path"]
        missing = path if is_absent(path) else None
        return VersionTable(url, None, table, _from_sqlite(path, table), missing)
    if match := _POSTGRESQL.fullmatch(url):
        given = _parameters(match)
        import psycopg2  # noqa: F401 - imported here, so that it takes none of the server's time

        longest = _LONGEST if seconds is None else min(seconds, _LONGEST)
        try:
            found = in_a_thread(lambda: _from_postgresql(given, table, schema), longest)
        except TimeoutError as error:
            raise AskAlembic("the database doesn't answer") from error
        return VersionTable(shown(url), found[0], table, found[1])
    raise AskAlembic("the URL is of another shape")


def _from_sqlite(path: str, table: str) -> tuple[str, ...]:
    if can_be_made(path):
        return ()
    before = _files(path)
    how = _how_to_open(path)
    try:
        uri = f"file:{quote(path)}?{how}"
        with closing(sqlite3.connect(uri, uri=True, timeout=_FOR_A_LOCK)) as connection:
            connection.execute("PRAGMA query_only = 1")
            known = "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?"
            if not connection.execute(known, (table,)).fetchone():
                return ()
            rows = connection.execute(f"SELECT version_num FROM {_quoted(table)}").fetchall()  # noqa: S608 - quoted
    except sqlite3.Error as error:
        raise AskAlembic("the database doesn't answer") from error
    if how == _UNCHANGING and _files(path) != before:
        raise AskAlembic("another process has written meanwhile, and it was not looked for")
    return _versions(rows)


def _how_to_open(path: str) -> str:
    """Return URI parameters with which reading leaves no file behind.

    In WAL mode, a reader makes two files beside the database. The last connection to close deletes
    them, if it may write. A connection that may not write leaves them there, or fails because it
    can't make them (https://www.sqlite.org/wal.html#read_only_databases).
    """
    real = os.path.realpath(path)
    if any(map(os.path.exists, (f"{real}-wal", f"{real}-shm"))) or not _is_in_wal_mode(real):
        return "mode=ro"
    if os.access(real, os.W_OK) and os.access(os.path.dirname(real), os.W_OK):
        return "mode=rw"
    return _UNCHANGING


def _is_in_wal_mode(path: str) -> bool:
    """Read the mode from the file's header (https://www.sqlite.org/fileformat.html)."""
    try:
        with open(path, "rb") as file:
            return file.read(20)[18:] == b"\x02\x02"
    except OSError:
        return False


def _files(path: str) -> list[object]:
    """Return what changes when the database or its log is written."""
    found: list[object] = []
    real = os.path.realpath(path)
    for name in (real, f"{real}-wal", f"{real}-shm"):
        try:
            stat = os.stat(name)
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


def _from_postgresql(
    given: dict[str, Any], table: str, schema: str | None
) -> tuple[str | None, tuple[str, ...]]:
    """Return the schema, and the rows of the version table."""
    import psycopg2

    name = f"{_quoted(schema)}.{_quoted(table)}" if schema else _quoted(table)
    try:
        with closing(psycopg2.connect(**given)) as connection, connection.cursor() as cursor:
            try:
                # The outer join has a row where the table has none.
                cursor.execute(
                    f"SET LOCAL lock_timeout = {round(_FOR_A_LOCK * 1000)};"  # noqa: S608 - quoted
                    "SELECT current_schema(), version.found, version_num FROM (SELECT) AS one"
                    f" LEFT JOIN (SELECT true AS found, version_num FROM {name}) AS version ON true"
                )
                rows = cursor.fetchall()
            except psycopg2.errors.UndefinedTable:
                connection.rollback()
                cursor.execute("SELECT current_schema(), NULL")
                rows = cursor.fetchall()
    except psycopg2.Error as error:
        raise AskAlembic("the database doesn't answer") from error
    except UnicodeDecodeError as error:
        raise AskAlembic("the server's refusal isn't UTF-8") from error
    schema = schema or rows[0][0]
    if schema is None:
        raise AskAlembic("this user may use no schema, so the table may be there unseen")
    return schema, _versions([row[2:] for row in rows if row[1]])


def _parameters(match: re.Match[str]) -> dict[str, Any]:
    given = match.groupdict()
    found = {
        key: unquote(given[key])
        for key in ("user", "password", "host", "port", "dbname")
        if given[key]
    }
    for key, value in parse_qsl(given["query"] or "", keep_blank_values=True):
        if key not in _PARAMETERS or key in found or "," in value:
            raise AskAlembic("SQLAlchemy may read the query otherwise")
        found[key] = value
    return parameters(found)


def _versions(rows: list[Any]) -> tuple[str, ...]:
    versions = tuple(row[0] for row in rows)
    if oddity(versions):
        raise AskAlembic("a version is none")
    return versions


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

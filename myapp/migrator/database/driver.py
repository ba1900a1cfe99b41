"""Read the version table with the bare driver, without SQLAlchemy, and create nothing.

It works for URLs of a plain shape only. For others, SQLAlchemy could read the URL in another way.
"""

import os
import re
import sqlite3
import time
from contextlib import closing
from typing import Any, NamedTuple
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
#: What stands beside an SQLite file: our lock, and SQLite's own journal of an open transaction.
LOCK_SUFFIX, JOURNAL_SUFFIX = ".migrate-lock", "-journal"
# Whether anybody holds an advisory lock with one key, be it of a run or of the application.
_FACTS = (
    ", current_setting('server_version'), EXISTS (SELECT FROM pg_locks WHERE"
    " locktype = 'advisory' AND objsubid = 1 AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())),"
    " EXISTS (SELECT FROM pg_index WHERE NOT indisvalid) OR pg_is_in_recovery()"
)
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
        return _version_table_of_file(match["path"], url, table, schema)
    found_schema, rows, _ = _asked(url, table, schema, seconds)
    return VersionTable(shown(url), found_schema, table, rows)


class Rest(NamedTuple):
    """A database on which nobody works: its version table, its server, and how long it took."""

    table: VersionTable
    server: str
    seconds: float


def read_at_rest(url: str, table: str, schema: str | None, seconds: float | None = None) -> Rest:
    """Return the version table of a database on which no run works, or has worked in vain.

    Raises AskAlembic as `read_version_table` does, and where anything may be wrong with it.
    """
    if match := _SQLITE.fullmatch(url):
        began = time.perf_counter()
        path = match["path"]
        if is_absent(path) or any(map(os.path.exists, _traces(path))):
            raise AskAlembic("a run may be at work, or may have been")
        found = _version_table_of_file(path, url, table, schema)
        took = time.perf_counter() - began
        return Rest(found, f"SQLite {sqlite3.sqlite_version}", took)
    import psycopg2  # noqa: F401 - as below

    began = time.perf_counter()
    found_schema, rows, facts = _asked(url, table, schema, seconds, _FACTS)
    if not facts or facts[1:3] != (False, False):
        raise AskAlembic("a run may be at work, or may have been")
    found = VersionTable(shown(url), found_schema, table, rows)
    return Rest(found, postgresql_name(facts[0]), time.perf_counter() - began)


def postgresql_name(version: str) -> str:
    """Return what a server is called, without what its packagers add to its version."""
    return f"PostgreSQL {version.partition(' ')[0]}"


def _version_table_of_file(path: str, url: str, table: str, schema: str | None) -> VersionTable:
    if schema:
        raise AskAlembic("SQLite has schemas of another kind")
    missing = path if is_absent(path) else None
    return VersionTable(url, None, table, _from_sqlite(path, table), missing)


def _traces(path: str) -> tuple[str, ...]:
    real = os.path.realpath(path)
    return f"{real}{LOCK_SUFFIX}", f"{real}{JOURNAL_SUFFIX}"


def _asked(
    url: str, table: str, schema: str | None, seconds: float | None, facts: str = ""
) -> tuple[str | None, tuple[str, ...], tuple[Any, ...]]:
    match = _POSTGRESQL.fullmatch(url)
    if match is None:
        raise AskAlembic("the URL is of another shape")
    given = _parameters(match)
    import psycopg2  # noqa: F401 - imported here, so that it takes none of the server's time

    longest = _LONGEST if seconds is None else min(seconds, _LONGEST)
    try:
        return in_a_thread(lambda: _from_postgresql(given, table, schema, facts), longest)
    except TimeoutError as error:
        raise AskAlembic("the database doesn't answer") from error


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
    given: dict[str, Any], table: str, schema: str | None, facts: str
) -> tuple[str | None, tuple[str, ...], tuple[Any, ...]]:
    """Return the schema, the rows of the version table, and its `facts` where it is there.

    All is asked at once: each question takes a round trip.
    """
    import psycopg2

    name = f"{_quoted(schema)}.{_quoted(table)}" if schema else _quoted(table)
    try:
        with closing(psycopg2.connect(**given)) as connection, connection.cursor() as cursor:
            try:
                # The outer join has a row where the table has none.
                cursor.execute(
                    f"SET LOCAL lock_timeout = {round(_FOR_A_LOCK * 1000)};"  # noqa: S608 - quoted
                    f"SELECT current_schema(), version.found, version_num{facts} FROM"
                    " (SELECT) AS one"
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
    return schema, _versions([row[2:3] for row in rows if row[1]]), tuple(rows[0][3:])


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

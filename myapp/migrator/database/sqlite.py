"""Make a revision on SQLite all or nothing, and keep it from losing rows."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from sqlite3 import OperationalError, ProgrammingError
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from .listening import listening

WRITES = "migrate_writes"
_JOURNAL_MODE = re.compile(r"\s*PRAGMA\s+journal_mode\s*[=(]\s*['\"]?(\w+)", re.IGNORECASE)
_UNWRITTEN = "migrate_unwritten"
_ENFORCED = "migrate_foreign_keys"
_SHOWN = 5
# Every foreign key has this word in its SQL. Checking a thousand tables after each of a thousand
# revisions would take longer than the revisions.
_TABLES_THAT_REFER = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND instr(lower(sql), 'references')"
)


class ForeignKeyViolation(Exception):
    """A revision has left rows that refer to missing rows."""


class IgnoredPragma(Exception):
    """A revision sets what SQLite leaves as it is while a transaction is open."""


def make_transactional(engine: Engine) -> None:
    """Run DDL in transactions too: Python's driver opens none for it by itself.

    SQLAlchemy's documentation of SQLite has this under "Enabling Non-Legacy SQLite Transactional
    Modes". A writer takes the write lock at the start, since SQLite may refuse it later.
    """

    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(dbapi_connection: Any, record: Any) -> None:
        dbapi_connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not _has_begun(connection):
            writes = connection.get_execution_options().get(WRITES)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Writer:
    """Runs the DDL of revisions in transactions, on an engine that `env.py` has made.

    An engine with the `isolation_level` None is left alone: its maker begins the transactions.
    """

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def begin_revision(self, connection: Connection, *, is_shared: bool = False) -> None:
        """Remember `connection` as the one for revisions; begin if SQLAlchemy has begun.

        `is_shared` says whether its transaction holds other revisions already.
        """
        self._connection = connection
        connection.info.pop(_UNWRITTEN, None)
        if connection.in_transaction():
            self._begin(connection, is_shared=is_shared)

    def begin(self, connection: Connection) -> None:
        """Begin now: the driver would begin only before an INSERT, UPDATE or DELETE."""
        if connection is self._connection:
            self._begin(connection, is_shared=False)

    def _begin(self, connection: Connection, *, is_shared: bool) -> None:
        if connection.dialect.name != "sqlite":
            return
        driver: Any = connection.connection.driver_connection
        is_left_to_env_py = driver.isolation_level is None or _is_always_autocommit(driver)
        if not is_left_to_env_py and not _has_begun(connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if not is_shared:
            connection.info[_UNWRITTEN] = _written(connection)

    def set_journal_mode(
        self, connection: Connection, cursor: Any, statement: str, *_: Any
    ) -> None:
        """Change the journal mode outside the transaction, and begin that anew.

        Within a transaction SQLite silently leaves the mode as it is
        (https://www.sqlite.org/pragma.html#pragma_journal_mode). Under Alembic the same revision
        changes it, since no transaction is open there.

        Raises IgnoredPragma when the transaction has written something already.
        """
        wanted = _JOURNAL_MODE.match(statement)
        if not wanted or connection is not self._connection or connection.dialect.name != "sqlite":
            return
        driver: Any = connection.connection.driver_connection
        cursor.execute("PRAGMA journal_mode")
        if not driver.in_transaction or cursor.fetchone()[0] == wanted[1].lower():
            return
        if connection.info.get(_UNWRITTEN) != _written(connection):
            raise IgnoredPragma(
                "SQLite doesn't change its journal mode within a transaction (in:"
                f" {' '.join(statement.split())})"
            )
        cursor.execute("COMMIT")
        try:
            cursor.execute(statement)
            cursor.fetchall()
        finally:
            cursor.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        """Stop, as all revisions have run."""
        self._connection = None


def _written(connection: Connection) -> tuple[int, int]:
    """Return two numbers that grow with what the connection writes: rows, and the schema."""
    driver: Any = connection.connection.driver_connection
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute("PRAGMA schema_version")
        row: Any = cursor.fetchone()
    return driver.total_changes, row[0]


def _is_always_autocommit(driver: Any) -> bool:
    """Tell whether it was opened with `autocommit=True`, which is new in Python 3.12."""
    return getattr(driver, "autocommit", None) is True


def _has_begun(connection: Connection) -> bool:
    """Tell whether a transaction has begun, or none is wanted."""
    driver: Any = connection.connection.driver_connection
    is_autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    return is_autocommit or bool(driver.in_transaction)


@contextmanager
def foreign_keys_checked_at_commit() -> Iterator[None]:
    """Switch off the enforcement of foreign keys within, and check them at COMMIT instead.

    Alembic's batch mode drops a table and makes it again. With enforcement on, ON DELETE CASCADE
    would then delete the rows that refer to it. SQLite's documentation tells to do it this way
    (https://www.sqlite.org/lang_altertable.html#otheralter). A revision can't do it by itself: the
    enforcement can't be changed within a transaction.

    A connection enforces them again when it goes back to its pool: an asynchronous one can run
    nothing once its event loop has ended.
    """
    stopped: list[tuple[dict[Any, Any], Any]] = []

    def stop_enforcing(connection: Connection) -> None:
        dbapi_connection: Any = connection.connection.dbapi_connection
        if connection.dialect.name != "sqlite" or _ENFORCED in connection.info:
            return
        if dbapi_connection.execute("PRAGMA foreign_keys").fetchone()[0]:
            dbapi_connection.execute("PRAGMA foreign_keys = OFF")
            connection.info[_ENFORCED] = _violations(dbapi_connection)
            if not connection.dialect.is_async:
                stopped.append((connection.info, dbapi_connection))

    event.listen(Pool, "checkin", _enforce_again)
    try:
        with listening(engine_connect=stop_enforcing, commit=_check):
            yield
    finally:
        event.remove(Pool, "checkin", _enforce_again)
        for info, dbapi_connection in stopped:
            with suppress(ProgrammingError):  # it has been closed
                _enforce(dbapi_connection, info)


def _enforce_again(dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
    if dbapi_connection is not None:  # None is one that was cut off
        _enforce(dbapi_connection, record.info)


def _enforce(dbapi_connection: Any, info: dict[Any, Any]) -> None:
    if info.pop(_ENFORCED, None) is not None:
        dbapi_connection.execute("PRAGMA foreign_keys = ON")


def _check(connection: Connection) -> None:
    """Raise ForeignKeyViolation for rows whose foreign keys were not broken before."""
    if connection.dialect.name != "sqlite" or _ENFORCED not in connection.info:
        return
    found = _violations(connection.connection.dbapi_connection)
    # A table that is made again may number its rows anew. Old violations then look new.
    before = connection.info[_ENFORCED]
    more_than = Counter(_where(each) for each in found) - Counter(_where(each) for each in before)
    if new := sorted((each for each in found - before if _where(each) in more_than), key=str):
        shown = "; ".join(
            parent if number is None else f"{table} row {row} refers to no row of {parent}"
            for table, row, parent, number in new[:_SHOWN]
        )
        more = f"; and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
        raise ForeignKeyViolation(f"it breaks foreign keys: {shown}{more}")
    connection.info[_ENFORCED] = found


def _where(violation: tuple[Any, ...]) -> tuple[Any, ...]:
    table, _, parent, _ = violation
    return table, parent


def _violations(dbapi_connection: Any) -> set[tuple[Any, ...]]:
    """Return what `PRAGMA foreign_key_check` finds, table by table.

    Without a table, it fails as a whole when one table refers to columns that are not unique.
    """
    found: set[tuple[Any, ...]] = set()
    for (table,) in dbapi_connection.execute(_TABLES_THAT_REFER).fetchall():
        quoted = table.replace('"', '""')
        try:
            found.update(dbapi_connection.execute(f'PRAGMA foreign_key_check("{quoted}")'))
        except OperationalError as error:
            found.add((table, None, str(error), None))
    return found

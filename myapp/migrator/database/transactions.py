"""Questions to a PostgreSQL session that go past SQLAlchemy, so that they start no transaction."""

from contextlib import closing
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

# `txid_status` and its like have had the same meaning since PostgreSQL 10.
#: The session and its transaction; `Answer` has the columns.
ASK = (
    "SELECT pg_backend_pid(), split_part(virtualtransaction, '/', 2)::bigint,"
    " txid_snapshot_xmax(txid_current_snapshot()), txid_current_if_assigned() FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'virtualxid' AND mode = 'ExclusiveLock' LIMIT 1"
)
#: How many transactions of the whole server were committed, of those with an id from `first` up to
#: `end`. Every prepared transaction counts too: any session may have prepared it.
COMMITTED = (
    "SELECT (SELECT count(*) FROM generate_series({first}, {end} - 1) AS id"
    " WHERE txid_status(id) IS DISTINCT FROM 'aborted'"
    " AND txid_status(id) IS DISTINCT FROM 'in progress')"
    " + (SELECT count(*) FROM pg_prepared_xacts)"
)

#: libpq's number for a session without a transaction.
_IDLE = 0


class Answer(NamedTuple):
    """The answer to ASK."""

    pid: int
    number: int  # the number of this transaction in its session
    next_id: int  # the next transaction id of the server; ids below it are taken
    own_id: int | None  # the id of this transaction, None until it writes


def row_of(connection: Connection, statement: str) -> Any:
    """Run a query on the driver's connection and return its row, None if it fails."""
    return next(iter(rows_of(connection, statement)), None)


def rows_of(connection: Connection, statement: str) -> list[Any]:
    """Run a query on the driver's connection and return its rows, none if it fails."""
    try:
        # A cursor that a signal leaves open lets SQLite interrupt what comes after it, too.
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
    except connection.dialect.loaded_dbapi.Error:
        return []


def is_autocommit(connection: Connection) -> bool:
    """Tell whether the driver commits each statement."""
    return getattr(connection.connection.dbapi_connection, "autocommit", False) is True


def is_outside(connection: Connection) -> bool:
    """Tell whether a query that has just run began no transaction.

    So it is after a COMMIT that was sent as a statement: the driver doesn't know of it.
    """
    info = getattr(connection.connection.dbapi_connection, "info", None)
    return is_autocommit(connection) or getattr(info, "transaction_status", None) == _IDLE

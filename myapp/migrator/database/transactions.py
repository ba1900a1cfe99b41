"""The questions that a PostgreSQL session is asked beneath SQLAlchemy, which shall not see them."""

from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

# `txid_status` and its like have had the same meaning since PostgreSQL 10.
#: Where the session stands.
ASK = (
    "SELECT pg_backend_pid(), split_part(virtualtransaction, '/', 2)::bigint,"
    " txid_snapshot_xmax(txid_current_snapshot()), txid_current_if_assigned() FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'virtualxid' AND mode = 'ExclusiveLock' LIMIT 1"
)
#: How many transactions of the whole server were committed that got an id from `first` on, up to
#: `end`; a prepared one may be by any session, and counts whenever it began.
COMMITTED = (
    "SELECT (SELECT count(*) FROM generate_series({first}, {end} - 1) AS id"
    " WHERE txid_status(id) IS DISTINCT FROM 'aborted'"
    " AND txid_status(id) IS DISTINCT FROM 'in progress')"
    " + (SELECT count(*) FROM pg_prepared_xacts)"
)


class Answer(NamedTuple):
    """What ASK is answered."""

    pid: int
    number: int  # of the session's transaction that has asked
    next_id: int  # that the server will give out, or has given to one that still runs
    own_id: int | None  # of the transaction that has asked, once it has written


def row_of(connection: Connection, statement: str) -> Any:
    """Return the row of a query that SQLAlchemy shall not see, None where it fails."""
    try:
        cursor = connection.connection.cursor()
        cursor.execute(statement)
        row = cursor.fetchone()
        cursor.close()
    except connection.dialect.loaded_dbapi.Error:
        return None
    return row


def is_autocommit(connection: Connection) -> bool:
    """Tell whether the driver commits each statement."""
    return getattr(connection.connection.dbapi_connection, "autocommit", False) is True

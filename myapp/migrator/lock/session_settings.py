"""PostgreSQL session settings, set without opening a transaction that SQLAlchemy would see.

A transaction that is open when an `env.py` calls `context.configure()` makes Alembic leave
`transaction_per_migration` off, silently.
"""

from collections.abc import Mapping
from math import ceil
from select import select
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

#: A server that looks after its client once a second ends the statement of a killed run by
#: itself (PostgreSQL 14 and later; older ones don't have the setting, and it is left out).
#: And it notices within a minute that a client's whole machine is gone; what it sends to learn
#: that also keeps firewalls from forgetting a connection that idles for long, as one does while
#: the other works.
LIVENESS = {
    "client_connection_check_interval": "1s",
    "idle_session_timeout": "0",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
#: A lock's connection waits as long as it takes.
NO_TIMEOUTS = {"lock_timeout": "0", "statement_timeout": "0", **LIVENESS}


def configure_session(connection: Connection, values: Mapping[str, str]) -> None:
    """Set those of `values` that this server knows, for the rest of the session."""
    execute_aside(connection, set_statement(values, is_local=False))


def set_statement(values: Mapping[str, str], *, is_local: bool) -> str:
    """Return the SQL that sets `values`, with `is_local` for the transaction only."""
    listed = ", ".join(f"({_quoted(name)}, {_quoted(value)})" for name, value in values.items())
    return (
        f"SELECT set_config(name, wanted.value, {str(is_local).lower()})"  # noqa: S608 - quoted
        f" FROM pg_settings JOIN (VALUES {listed}) AS wanted (name, value) USING (name)"
    )


def milliseconds(seconds: float) -> str:
    """Return a timeout as PostgreSQL takes it; only 0 is none, however short one is."""
    return str(ceil(seconds * 1000))


def execute_aside(connection: Connection, statement: str) -> Any:
    """Execute `statement` in a transaction of its own, before SQLAlchemy's begins.

    Returns the first column of the first row, or None. Raises DBAPIError.
    """
    dbapi_connection = connection.connection.dbapi_connection
    assert dbapi_connection is not None  # noqa: S101 - an open connection has one
    try:
        cursor = dbapi_connection.cursor()
        cursor.execute(statement)
        row = cursor.fetchone()
        cursor.close()
        dbapi_connection.commit()
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(statement, None, error) from error
    return row[0] if row else None


def is_silent(dbapi_connection: Any) -> bool:
    """Tell, without a round trip, whether the server has sent nothing since it was last asked.

    When a session ends, the server says so, or its system closes the socket: there is something to
    read. False too where the driver doesn't let its socket be looked at.
    """
    try:
        return not select([dbapi_connection.fileno()], [], [], 0)[0]
    except Exception:  # noqa: BLE001 - it is closed, or `select` can't take it: ask the server
        return False


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

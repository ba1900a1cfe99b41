"""PostgreSQL session settings, set without a transaction that SQLAlchemy would see.

If a transaction is open when `env.py` calls `context.configure()`, Alembic ignores
`transaction_per_migration` without a word.
"""

from collections.abc import Mapping
from contextlib import closing
from math import ceil
from select import select
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..base.quoting import literal

#: How soon the server notices that its client is gone. With the first setting it looks once a
#: second, and ends the statement of a killed run (PostgreSQL 14 and later; an older server doesn't
#: have the setting, and it is left out). With the keepalives it notices within a minute that the
#: client's machine is gone. They also keep firewalls from dropping the idle connection of the lock.
LIVENESS = {
    "client_connection_check_interval": "1s",
    "idle_session_timeout": "0",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
#: The limits of a role that would end a run in mid-work: a revision may take long, and it may
#: compute between two statements. PostgreSQL has the last one from 17 on.
UNLIMITED = {"idle_in_transaction_session_timeout": "0", "transaction_timeout": "0"}
#: The settings of the lock's connection, which has no timeouts.
NO_TIMEOUTS = {"lock_timeout": "0", "statement_timeout": "0", **UNLIMITED, **LIVENESS}
#: The names of all settings that a run sets on its connections, but for its name.
OF_A_RUN = frozenset(NO_TIMEOUTS)


def configure_session(connection: Connection, values: Mapping[str, str]) -> None:
    """Set `values` for the rest of the session, except settings that the server doesn't have."""
    execute_aside(connection, set_statement(values, is_local=False))


def set_statement(values: Mapping[str, str], *, is_local: bool) -> str:
    """Return the SQL that sets `values`, with `is_local` for the transaction only."""
    listed = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in values.items())
    return (
        f"SELECT set_config(name, wanted.value, {str(is_local).lower()})"  # noqa: S608 - quoted
        f" FROM pg_settings JOIN (VALUES {listed}) AS wanted (name, value) USING (name)"
    )


def milliseconds(seconds: float) -> str:
    """Return a timeout for PostgreSQL, rounded up: 0 would mean no timeout."""
    return str(ceil(seconds * 1000))


def execute_aside(connection: Connection, statement: str) -> Any:
    """Execute `statement` in a transaction of its own, before SQLAlchemy's begins.

    If that has begun, it is left open, and `statement` is a part of it.

    Returns the first row, or None. Raises DBAPIError.
    """
    dbapi_connection = connection.connection.dbapi_connection
    assert dbapi_connection is not None  # noqa: S101 - an open connection has one
    try:
        with closing(dbapi_connection.cursor()) as cursor:
            cursor.execute(statement)
            row = cursor.fetchone()
        if not connection.in_transaction():
            dbapi_connection.commit()
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(statement, None, error) from error
    return row


def is_silent(dbapi_connection: Any) -> bool:
    """Tell, without a round trip, whether there is nothing to read from the server.

    When a session ends, the server sends a message, or its system closes the socket: then there is
    something to read. False too if the driver doesn't show its socket.
    """
    try:
        return not select([dbapi_connection.fileno()], [], [], 0)[0]
    except Exception:  # noqa: BLE001 - it is closed, or `select` can't take it: ask the server
        return False

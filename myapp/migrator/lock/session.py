"""PostgreSQL session settings, set without opening a transaction that SQLAlchemy would see.

A transaction that is open when an `env.py` calls `context.configure()` makes Alembic leave
`transaction_per_migration` off, silently.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

#: The execution option of engines that are this package's own, not the migrations'.
INTERNAL = "migrate_internal"
#: A server that looks after its client once a second ends the statement of a killed run by
#: itself (PostgreSQL 14 and later; older ones don't have the setting, and it is left out).
LIVENESS = {"client_connection_check_interval": "1s"}
#: A lock's connection waits as long as it takes, and idles while the migrations run.
PATIENT = {"lock_timeout": "0", "statement_timeout": "0", "idle_session_timeout": "0"}


def configure_session(connection: Connection, values: Mapping[str, str]) -> None:
    """Set those of `values` that this server knows, for the rest of the session."""
    listed = ", ".join(f"({_quoted(name)}, {_quoted(value)})" for name, value in values.items())
    execute_aside(
        connection,
        "SELECT set_config(name, wanted.value, false)"
        f" FROM pg_settings JOIN (VALUES {listed}) AS wanted (name, value) USING (name)",
    )


def execute_aside(connection: Connection, statement: str) -> Any:
    """Execute `statement` in a transaction of its own, before SQLAlchemy's begins.

    Returns the first column of the first row, or None.
    """
    dbapi_connection = connection.connection.dbapi_connection
    assert dbapi_connection is not None  # noqa: S101 - an open connection has one
    cursor = dbapi_connection.cursor()
    try:
        cursor.execute(statement)
        row = cursor.fetchone()
    finally:
        cursor.close()
        dbapi_connection.commit()
    return row[0] if row else None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

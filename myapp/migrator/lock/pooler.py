"""Tell a direct connection from one through a pooler that shares server sessions.

Behind PgBouncer in transaction mode a session lock belongs to whoever is served next.
"""

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from ..errors import SettingsError

_PID = text("SELECT pg_backend_pid()")
_TRIES = 10


def refuse_pooler(engine: Engine, connection: Connection, *, is_lock_url: bool) -> None:
    """Raise SettingsError when `connection` and another of `engine` share a server session.

    A session that is this connection's alone never serves a second connection; a pooler in
    transaction mode hands the one that was used last to whoever asks next.
    """
    if not _is_shared(engine, connection):
        return
    where = "`migrate.lock_url`" if is_lock_url else "`sqlalchemy.url`"
    raise SettingsError(
        f"{where} goes through a pooler in transaction mode, such as PgBouncer's, where a lock"
        " can't be held: two runs at once would not see each other.",
        hint="set `migrate.lock_url` to a direct connection to the same database.",
    )


def _is_shared(engine: Engine, connection: Connection) -> bool:
    with engine.connect() as other:
        for _ in range(_TRIES):
            if connection.scalar(_PID) == other.scalar(_PID):
                return True
    return False

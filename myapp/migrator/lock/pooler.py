"""Tell a direct connection from one through a pooler that shares server sessions.

Behind PgBouncer in transaction mode a session lock belongs to whoever is served next.
"""

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from ..base.errors import SettingsError

_PID = text("SELECT pg_backend_pid()")
_TRIES = 5


def refuse_pooler(engine: Engine, connection: Connection, *, is_lock_url: bool) -> None:
    """Raise SettingsError when `connection` has no server session to itself."""
    if not _is_shared(engine, connection):
        return
    where = "`migrate.lock_url`" if is_lock_url else "`sqlalchemy.url`"
    raise SettingsError(
        f"{where} goes through a pooler in transaction mode, such as PgBouncer's, where a lock"
        " can't be held: two runs at once would not see each other.",
        hint="set `migrate.lock_url` to a direct connection to the same database.",
    )


def _is_shared(engine: Engine, connection: Connection) -> bool:
    """Ask who serves: a session that is a connection's own serves it always, and no other.

    A pooler hands out the session that was used last, and gives another one to whoever asks while
    that is busy; with `server_round_robin`, each in turn.
    """
    own, others = set(), set()
    with engine.connect() as other:
        for _ in range(_TRIES):
            own |= {connection.scalar(_PID), connection.scalar(_PID)}
            others |= {other.scalar(_PID)}
    return len(own) > 1 or len(others) > 1 or bool(own & others)

"""Tell a direct connection from one through a pooler that shares server sessions.

Through PgBouncer in transaction mode, the next client would get the session and its lock.
"""

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from ..base.errors import SettingsError

_PID = text("SELECT pg_backend_pid()")
_TRIES = 5


def refuse_pooler(engine: Engine, connection: Connection, *, is_lock_url: bool) -> None:
    """Raise SettingsError when `connection` shares its server session with others."""
    if not _is_shared(engine, connection):
        return
    where = "`migrate.lock_url`" if is_lock_url else "`sqlalchemy.url`"
    raise SettingsError(
        f"{where} goes through a pooler in transaction mode, such as PgBouncer's, where a lock"
        " can't be held: two runs at once would not see each other.",
        hint="set `migrate.lock_url` to a direct connection to the same database.",
    )


def _is_shared(engine: Engine, connection: Connection) -> bool:
    """Ask two connections for the pid of their sessions, several times.

    Without a pooler, each connection always gets the same pid, and no other connection gets it. A
    pooler gives out the session that was used last, or, with `server_round_robin`, each in turn.
    """
    own, others = set(), set()
    with engine.connect() as other:
        for _ in range(_TRIES):
            own |= {connection.scalar(_PID), connection.scalar(_PID)}
            others |= {other.scalar(_PID)}
    return len(own) > 1 or len(others) > 1 or bool(own & others)

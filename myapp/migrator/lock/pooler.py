"""Tell a direct connection from one through a pooler that shares server sessions.

Through PgBouncer in transaction mode, the next client would get the session and its lock.
"""

from contextlib import closing

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from ..base.attempts import asked_once
from ..base.errors import MigrateError, SettingsError
from ..database.libpq import in_a_thread
from ..database.own_connection import OwnConnection
from .advisory import PID
from .session_settings import execute_aside

_TRIES = 5
#: How long a pooler is waited for that may have no second connection.
_SECONDS = 2.0


def refuse_pooler(engine: Engine, connection: OwnConnection, *, is_lock_url: bool) -> None:
    """Raise SettingsError when `connection` shares its server session with others."""
    if not _is_shared(engine, connection):
        return
    raise _refused(is_lock_url=is_lock_url)


def _refused(*, is_lock_url: bool) -> SettingsError:
    where = "`migrate.lock_url`" if is_lock_url else "`sqlalchemy.url`"
    return SettingsError(
        f"{where} goes through a pooler in transaction mode, such as PgBouncer's, where a lock"
        " can't be held: two runs at once would not see each other.",
        hint="set `migrate.lock_url` to a direct connection to the same database.",
    )


def refuse_shared_session(engine: Engine, connection: Connection) -> None:
    """Do the same for a `connection` of the migration, beside which there may be none to be had.

    Only a pooler has told the driver another pid than the server's. If it lets nobody else in, the
    session is not shared.
    """
    driver = connection.connection.dbapi_connection
    announced = getattr(getattr(driver, "info", None), "backend_pid", None)
    own = {_pid(connection)}
    if announced is None or announced in own:
        return

    def others() -> set[int]:
        with asked_once(), closing(OwnConnection(engine)) as other:
            return {pid_of(other) for _ in range(_TRIES)}

    try:
        found = in_a_thread(others, _SECONDS)
    except (TimeoutError, SQLAlchemyError, MigrateError):
        return
    own |= {_pid(connection) for _ in range(_TRIES)}
    if len(own) > 1 or len(found) > 1 or own & found:
        raise _refused(is_lock_url=False)


def _is_shared(engine: Engine, connection: OwnConnection) -> bool:
    """Ask two connections for the pid of their sessions, several times.

    Without a pooler, each connection always gets the same pid, and no other connection gets it. A
    pooler gives out the session that was used last, or, with `server_round_robin`, each in turn.
    """
    own, others = set(), set()
    with closing(OwnConnection(engine)) as other:
        for _ in range(_TRIES):
            own |= {pid_of(connection), pid_of(connection)}
            others |= {pid_of(other)}
    return len(own) > 1 or len(others) > 1 or bool(own & others)


def pid_of(connection: OwnConnection) -> int:
    """Return the process id of the server session that answers now."""
    return int(connection.ask(lambda asked: asked.exec_driver_sql(PID).scalar_one()))


def _pid(connection: Connection) -> int:
    (pid,) = execute_aside(connection, PID)
    return int(pid)

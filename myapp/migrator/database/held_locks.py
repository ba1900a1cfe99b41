"""PostgreSQL: the locks that a session waits for, and whether others still hold them."""

from collections.abc import Collection
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

_OBJECT = (
    "ROW({0}.locktype, {0}.database, {0}.relation, {0}.page, {0}.tuple, {0}.virtualxid,"
    " {0}.transactionid, {0}.classid, {0}.objid, {0}.objsubid)::text"
)
# The name of a lock says which transaction holds it, since its session may begin another one.
_NAME = f"concat_ws(' ', held.pid, held.virtualtransaction, {_OBJECT.format('held')})"
#: Those locks of the session `blocker.pid` for which the session `waiting.pid` waits.
HELD_BY_BLOCKER = (
    f"SELECT {_NAME} FROM pg_locks held"  # noqa: S608 - all parts are constants of this file
    f" JOIN pg_locks waits ON {_OBJECT.format('waits')} = {_OBJECT.format('held')}"
    " WHERE waits.pid = waiting.pid AND NOT waits.granted"
    " AND held.pid = blocker.pid AND held.granted"
)
_IS_HELD = f"held.granted AND {_NAME} = ANY (CAST(:held AS text[]))"
_COUNT = text(f"SELECT count(*) FROM pg_locks held WHERE {_IS_HELD}")  # noqa: S608 - as above
# The tables of `held` that autovacuum works on. A worker has no user, and others may not see more
# of it.
_VACUUMED = text(
    "SELECT held.relation FROM pg_locks held JOIN pg_stat_activity worker USING (pid)"  # noqa: S608 - as above
    f" WHERE {_IS_HELD} AND held.locktype = 'relation'"
    " AND held.mode = 'ShareUpdateExclusiveLock' AND worker.usesysid IS NULL"
)
_AS_TABLE_NEEDED = """
DO $$ BEGIN
  PERFORM set_config('lock_timeout', '3s', true);
  EXECUTE 'LOCK TABLE ' || {}::regclass || ' IN SHARE UPDATE EXCLUSIVE MODE';
END $$
"""


def are_held(connection: Connection, held: Collection[str]) -> bool:
    """Tell whether one of the locks `held` is still held by the same transaction."""
    return bool(held) and bool(connection.scalar(_COUNT, {"held": list(held)}))


def send_autovacuum_away(connection: Connection, held: Collection[str]) -> None:
    """Let autovacuum leave the tables on which it holds one of the locks `held`.

    It goes when another session has waited for the table for `deadlock_timeout`, a second. That is
    longer than a migration waits. The lock here keeps no reader and no writer waiting, and it is
    freed at once. A vacuum against wraparound stays.
    """
    for relation in connection.scalars(_VACUUMED, {"held": list(held)}).all():
        with suppress(DBAPIError):
            connection.exec_driver_sql(_AS_TABLE_NEEDED.format(int(relation)))

"""The keys of PostgreSQL's advisory lock, and the SQL that takes it and tells who holds it."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy.engine import Connection

from ..database.advisory_key import advisory_key
from ..settings.settings import Settings
from .holding import Holder, named_holder

#: The schema that a version table without `version_table_schema` is in.
SCHEMA = "SELECT current_schema()"
PID = "SELECT pg_backend_pid()"

# A bigint key is shown in pg_locks as its high and low half
# (https://www.postgresql.org/docs/current/view-pg-locks.html).
_IN_PG_LOCKS = (
    "locktype = 'advisory' AND objsubid = 1 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND ((classid::bigint << 32) | objid::bigint) = {key}"
)
_HOLDER = (
    "SELECT a.pid, a.application_name, coalesce(host(a.client_addr), ''), a.backend_start"  # noqa: S608 - all parts are constants of this file
    f" FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE {_IN_PG_LOCKS}"
    " AND pid NOT IN ({others}) LIMIT 1"
)
_COUNT = f"SELECT count(*) FROM pg_locks WHERE pid IN ({{pids}}) AND {_IN_PG_LOCKS}"  # noqa: S608 - as above


class Keys(NamedTuple):
    """Two 64-bit keys for one version table: the writer's, and a running statement's."""

    writer: int
    running: int


def keys(schema: str | None, settings: Settings) -> Keys:
    """Return the keys of the version table, which is in `schema` if the settings name none."""
    named = settings.alembic.get("version_table_schema") or schema
    table = settings.alembic.get("version_table", "alembic_version")
    return Keys(advisory_key(f"writer {named}.{table}"), advisory_key(f"running {named}.{table}"))


def try_lock(key: int) -> str:
    """Return the SQL that takes a lock for the session, and tells whether it was free."""
    return f"SELECT pg_try_advisory_lock({key})"


def holder_of(key: int, own: Collection[int] = ()) -> str:
    """Return the SQL that tells which session holds a lock, as the fields of `Holder`.

    This session and those with the pids `own` don't count.
    """
    return _HOLDER.format(key=key, others=", ".join(["pg_backend_pid()", *map(str, own)]))


def count_held(key: int, *pids: int) -> str:
    """Return the SQL that tells how many of the sessions `pids` hold a lock in this database."""
    return _COUNT.format(key=key, pids=", ".join(map(str, pids)))


def asked_holder(connection: Connection, key: int, own: Collection[int] = ()) -> Holder | None:
    """Return which session holds a lock; this one and those with the pids `own` don't count."""
    row = connection.exec_driver_sql(holder_of(key, own)).one_or_none()
    return named_holder(*row, is_of_server=True) if row else None

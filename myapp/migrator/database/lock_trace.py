"""What each statement locks, rewrites and scans, as PostgreSQL shows it while it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..base.traces import MODES, Touched
from .engine import own_engine
from .own_connection import OwnConnection
from .transactions import rows_of

#: What the session itself knows, with what it hasn't committed. The sum of the two counters stays
#: the same when the session hands on what it has counted.
_RELATIONS = (
    "SELECT c.oid::bigint, CASE WHEN pg_table_is_visible(c.oid) THEN c.relname"
    " ELSE n.nspname || '.' || c.relname END, c.relkind::text, coalesce(i.indrelid, c.oid)::bigint,"
    " c.relfilenode::bigint,"
    " coalesce(pg_stat_get_numscans(c.oid), 0) + coalesce(pg_stat_get_xact_numscans(c.oid), 0)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_index i ON i.indexrelid = c.oid"
    " WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f', 'i', 'I') AND n.nspname !~ '^pg_'"
    " AND n.nspname <> 'information_schema'"
)
_LOCKS = (
    "SELECT relation::bigint, mode FROM pg_locks WHERE pid = {pid} AND granted"
    " AND locktype = 'relation' AND database = {database}"
)
_SESSION = "SELECT pg_backend_pid(), oid::bigint FROM pg_database WHERE datname=current_database()"
#: `ShareUpdateExclusiveLock` of `pg_locks`, by the name that SQL has for it.
_NAMES = {mode.replace(" ", "").lower() + "lock": mode for mode in MODES}
_INDEXES = ("i", "I")


class Relation(NamedTuple):
    """A table, view or index, as the session sees it. `table` is the table's number."""

    name: str
    kind: str
    table: int
    file: int
    scans: int


Relations = dict[int, Relation]
#: The strongest lock on each relation, as its place in MODES.
Held = dict[int, int]


class LockTrace:
    """Watches one session from a second one."""

    def __init__(self, connection: Connection) -> None:
        """Connect once more to the database of `connection`. Raises DBAPIError."""
        rows = rows_of(connection, _SESSION)
        self._pid: int = rows[0][0] if rows else 0
        self._database: int = rows[0][1] if rows else 0
        self._own = OwnConnection(own_engine(connection.engine))

    def close(self) -> None:
        """Disconnect."""
        self._own.close()

    def held(self) -> Held:
        """Return the locks that the session holds now, as the second session sees them."""
        query = _LOCKS.format(pid=self._pid, database=self._database)
        held: Held = {}
        for relation, mode in self._own.ask(lambda asked: rows_of(asked, query)):
            held[relation] = max(held.get(relation, 0), MODES.index(_NAMES[mode.lower()]))
        return held

    @contextmanager
    def watching(self) -> Iterator[Held]:
        """Look again and again within. What was seen stands in the yielded value at the end."""
        seen: Held = {}
        stop = threading.Event()

        def look() -> None:
            with suppress(DBAPIError):
                while not stop.is_set():
                    _join(seen, self.held())

        thread = threading.Thread(target=look, name="lock-trace", daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join()


def relations_of(connection: Connection) -> Relations:
    """Return the tables, views and indexes, as the session of `connection` sees them.

    There are none where its transaction has failed.
    """
    return {oid: Relation(*rest) for oid, *rest in rows_of(connection, _RELATIONS)}


def touched(
    there: Relations, before: Relations, after: Relations, held_before: Held, held: Held
) -> tuple[Touched, ...]:
    """Return what happened to the relations that were `there`, between two looks."""
    found = []
    for oid in there:
        old = before.get(oid)
        if old is None:
            continue  # one that an earlier statement has dropped
        new = after.get(oid)
        mode = held.get(oid)
        is_new = mode is not None and mode > held_before.get(oid, -1)
        is_rewritten = bool(new and old.file and new.file != old.file)
        # The scans of an index find single rows.
        is_index = old.kind in _INDEXES
        is_scanned = bool(new and not is_index and new.scans > old.scans)
        if is_new or is_rewritten or is_scanned:
            table = before.get(old.table) or old
            name = None if mode is None else MODES[mode]
            found.append(
                Touched(old.name, table.name, name, is_new, is_index, is_rewritten, is_scanned)
            )
    return tuple(sorted(found))


def _join(seen: Held, held: Held) -> None:
    for oid, mode in held.items():
        seen[oid] = max(seen.get(oid, 0), mode)

"""What each statement locks, rewrites and scans, as PostgreSQL shows it while it runs."""

import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..base.traces import MODES, Touched
from ..revisions.ddl import named
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
#: A SERIALIZABLE transaction has predicate locks too, which block nobody
#: (https://www.postgresql.org/docs/current/transaction-iso.html#XACT-SERIALIZABLE).
_OF_SESSION = "pid = {pid} AND mode <> 'SIReadLock'"
_LOCKS = (
    f"SELECT relation::bigint, mode FROM pg_locks WHERE {_OF_SESSION} AND granted"  # noqa: S608 - constants
    " AND locktype = 'relation' AND database = {database}"
)
_SESSION = "SELECT pg_backend_pid(), oid::bigint FROM pg_database WHERE datname=current_database()"
_ASKED = (
    f"SELECT coalesce(relation, 0)::bigint, mode, granted FROM pg_locks WHERE {_OF_SESSION}"  # noqa: S608 - constants
    " AND (NOT granted OR locktype = 'relation' AND database = {database})"
)
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_ON_EACH = """
DO $$ DECLARE found regclass; BEGIN
    PERFORM set_config('lock_timeout', '50ms', true);
    FOR found IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ({}) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    LOOP BEGIN
        EXECUTE {};
    EXCEPTION WHEN insufficient_privilege OR lock_not_available THEN NULL;
    END; END LOOP;
END $$
"""
#: What the SELECT of an application holds on tables and their indexes, and what its writers hold.
_READ = _ON_EACH.format("'r', 'p', 'm'", "'EXPLAIN SELECT FROM ONLY ' || found")
_WRITE = _ON_EACH.format("'r', 'p'", "'LOCK TABLE ONLY ' || found || ' IN ROW EXCLUSIVE MODE'")
#: A lock's place in MODES by its name in `pg_locks`, such as `ShareUpdateExclusiveLock`.
_PLACES = {mode.replace(" ", "").lower() + "lock": at for at, mode in enumerate(MODES)}
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


class Watched:
    """What was seen of a statement outside a transaction: its locks, and whether it had to wait."""

    def __init__(self) -> None:
        self.held: Held = {}
        self.was_stopped = False


class LockTrace:
    """Watches one session from a second one."""

    def __init__(self, connection: Connection) -> None:
        """Connect once more to the database of `connection`. Raises DBAPIError."""
        rows = rows_of(connection, _SESSION)
        self._pid: int = rows[0][0] if rows else 0
        self._database: int = rows[0][1] if rows else 0
        self._engine = own_engine(connection.engine)
        self._own = OwnConnection(self._engine)

    def close(self) -> None:
        """Disconnect."""
        self._own.close()

    def held(self) -> Held:
        """Return the locks that the session holds now, as the second session sees them."""
        query = _LOCKS.format(pid=self._pid, database=self._database)
        held: Held = {}
        for relation, mode in self._own.ask(lambda asked: rows_of(asked, query)):
            held[relation] = max(held.get(relation, 0), _PLACES[mode.lower()])
        return held

    @contextmanager
    def watching(self) -> Iterator[Watched]:
        """Look again and again within, at a statement outside a transaction.

        Two more sessions stand for an application that reads all tables, and one that writes to
        them. A statement for which one of them would have to wait has to wait for it. It is let go
        when its locks have been seen. So does CONCURRENTLY, which waits for older snapshots.
        """
        watched = Watched()
        stop = threading.Event()
        with ExitStack() as sessions:
            held_up: list[OwnConnection] = []
            for statement in (_READ, _WRITE):
                one = sessions.enter_context(closing(OwnConnection(self._engine)))
                if _run(one, _BEGIN) and _run(one, statement):
                    held_up.append(one)

            def look() -> None:
                try:
                    while not stop.is_set():
                        if self._is_waiting(watched):
                            watched.was_stopped = True
                            if held_up:
                                _run(held_up.pop(), "ROLLBACK")
                except DBAPIError:
                    while held_up:
                        _run(held_up.pop(), "ROLLBACK")

            thread = threading.Thread(target=look, name="lock-trace", daemon=True)
            thread.start()
            try:
                yield watched
            finally:
                stop.set()
                thread.join()

    def _is_waiting(self, watched: Watched) -> bool:
        """Add the locks that the session has and asks for, and tell whether it waits for one."""
        query = _ASKED.format(pid=self._pid, database=self._database)
        rows = self._own.ask(lambda asked: rows_of(asked, query))
        for relation, mode, _ in rows:
            if relation:
                place = _PLACES[mode.lower()]
                watched.held[relation] = max(watched.held.get(relation, 0), place)
        return not all(is_granted for _, _, is_granted in rows)


def relations_of(connection: Connection) -> Relations:
    """Return the tables, views and indexes, as the session of `connection` sees them.

    There are none where its transaction has failed.
    """
    return {oid: Relation(*rest) for oid, *rest in rows_of(connection, _RELATIONS)}


def named_in(statement: str, relations: Relations) -> set[int]:
    """Return what a statement names, and the tables of the indexes among it.

    `pg_locks` doesn't tell of a lock that is taken once more in the same transaction.
    """
    numbers = {each.name: oid for oid, each in relations.items()}
    found = {
        numbers.get(f"{schema}.{name}", numbers.get(name)) if schema else numbers.get(name)
        for schema, name in named(statement)
    }
    return {number for oid in found if oid for number in (oid, relations[oid].table)}


def touched(
    there: Relations,
    before: Relations,
    after: Relations,
    held_before: Held,
    held: Held,
    used: Collection[int] = (),
) -> tuple[Touched, ...]:
    """Return what happened to the relations that were `there`, between two looks.

    What is `used` counts, whether its lock is new or not.
    """
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
        if is_index and new is None and mode is not None:
            # Nobody uses what CONCURRENTLY drops. Else the lock on the table is as strong.
            mode = min(mode, held.get(old.table, mode))
        is_scanned = bool(new and not is_index and new.scans > old.scans)
        if is_new or is_rewritten or is_scanned or oid in used:
            table = before.get(old.table) or old
            name = None if mode is None else MODES[mode]
            found.append(
                Touched(old.name, table.name, name, is_new, is_index, is_rewritten, is_scanned)
            )
    return tuple(sorted(found))


def taken(there: Relations, before: Held, held: Held, used: Collection[int] = ()) -> Held:
    """Return the locks of `held` that are new or on what is `used`, on what was `there`."""
    return {
        oid: mode
        for oid, mode in held.items()
        if oid in there and (mode > before.get(oid, -1) or oid in used)
    }


def _run(own: OwnConnection, statement: str) -> bool:
    """Run a statement, and tell whether it went through."""
    try:
        own.ask(lambda asked: asked.exec_driver_sql(statement))
    except DBAPIError:
        return False
    return True

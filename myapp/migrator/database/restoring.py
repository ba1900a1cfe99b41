"""Bring a copied database back to how it was made, much faster than it is copied again."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from .own_connection import OwnConnection

#: PostgreSQL 14 sends its counts by UDP, some time later.
_OLDEST = 150000
#: Seconds for which a session that is cut off may go on, and until it is looked for again.
_PATIENCE, _LOOK_AGAIN = 5.0, 0.001
_OTHERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type IN ('client backend', 'parallel worker')"
)
# What a session has written is counted when it ends, for the tables of the system too: so no
# CREATE, ALTER or GRANT is missed. ANALYZE, which the server runs by itself, doesn't count.
_WRITTEN = (
    "SELECT oid::bigint, pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid)"
    " + pg_stat_get_tuples_deleted(oid) FROM pg_class WHERE relkind IN ('r', 'm')"
    " AND relname NOT IN ('pg_statistic', 'pg_statistic_ext_data')"
)
#: What belongs to the database and stands in tables that all databases share.
_WHOLE = (
    "SELECT xmin::text, pg_stat_get_db_stat_reset_time(oid)::text,"
    " shobj_description(oid, 'pg_database'),"
    " (SELECT string_agg(setrole || '=' || setconfig::text, ' ' ORDER BY setrole)"
    " FROM pg_db_role_setting WHERE setdatabase = pg_database.oid),"
    " (SELECT count(*) FROM pg_prepared_xacts WHERE database = datname)"
    " FROM pg_database WHERE datname = current_database()"
)
_EMPTY = (
    "SELECT oid::bigint, oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
    " AND pg_relation_size(oid) = 0"
)
_KEYS = "SELECT confrelid::bigint, conrelid::bigint FROM pg_constraint WHERE contype = 'f'"
_SEQUENCES = "SELECT oid::bigint, oid::regclass::text FROM pg_class WHERE relkind = 'S'"


@dataclass(frozen=True)
class _State:
    """How many rows each table has had written, where each sequence stands, and the rest."""

    written: dict[int, int]
    sequences: dict[int, tuple[int, bool]]
    whole: tuple[Any, ...]


class Restorer:
    """Brings one database back to how it was when this was made, if only rows were added since."""

    def __init__(self, connection: OwnConnection) -> None:
        self._connection = connection
        self._sequences: dict[int, str] = dict(self._pairs(_SEQUENCES))
        self._empty: dict[int, str] = dict(self._pairs(_EMPTY))
        self._keys = self._pairs(_KEYS)
        is_counted = self._one("SHOW track_counts") == ("on",)
        (version,) = self._one("SELECT current_setting('server_version_num')::int")
        self._is_able = is_counted and version >= _OLDEST
        self._state = self._look()

    def restore(self) -> bool:
        """Cut off all other sessions, and undo what they did. Tell whether that was possible.

        What isn't known to be undone is a False: a change of the schema, or of a table that had
        rows before.
        """
        try:
            return self._is_able and self._cut_off() and self._undone()
        except DBAPIError:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _undone(self) -> bool:
        before, now = self._state, self._look()
        if now.whole != before.whole:
            return False
        changed = {
            oid
            for oid in now.written | before.written
            if now.written.get(oid) != before.written.get(oid)
        }
        emptied = self._with_referring(changed)
        if not emptied <= self._empty.keys():
            return False
        moved = [oid for oid, value in now.sequences.items() if value != before.sequences[oid]]
        if not emptied and not moved:
            return True
        if emptied:
            names = ", ".join(f"ONLY {self._empty[oid]}" for oid in sorted(emptied))
            self._execute(f"TRUNCATE {names}")
        for oid in moved:
            value, is_called = before.sequences[oid]
            self._one(f"SELECT setval({oid}::regclass, {value}, {is_called})")
        self._one("SELECT pg_stat_force_next_flush()::text")
        self._state = self._look()
        # A trigger on TRUNCATE may have written elsewhere.
        others = self._empty.keys() - emptied
        return self._state.sequences == before.sequences and all(
            self._state.written.get(oid) == now.written.get(oid) for oid in others
        )

    def _with_referring(self, tables: Iterable[int]) -> set[int]:
        """Return `tables` and those whose foreign keys lead there, which are emptied with them."""
        found, wanted = set[int](), set(tables)
        while wanted:
            found |= wanted
            wanted = {of for to, of in self._keys if to in wanted} - found
        return found

    def _look(self) -> _State:
        written = dict(self._pairs(_WRITTEN))
        asked = " UNION ALL ".join(
            f"SELECT {oid}::bigint, last_value, is_called FROM {name}"  # noqa: S608 - a regclass
            for oid, name in self._sequences.items()
        )
        sequences = (
            {oid: (value, called) for oid, value, called in self._rows(asked)} if asked else {}
        )
        return _State(written, sequences, self._one(_WHOLE))

    def _cut_off(self) -> bool:
        """End all other sessions, and wait until they have."""
        self._rows(f"SELECT pg_terminate_backend(pid) {_OTHERS}")
        until = time.monotonic() + _PATIENCE
        while self._one(f"SELECT count(*) {_OTHERS}") != (0,):
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_AGAIN)
        return True

    def _one(self, statement: str) -> tuple[Any, ...]:
        return self._rows(statement)[0]

    def _pairs(self, statement: str) -> list[tuple[int, Any]]:
        return [(oid, value) for oid, value in self._rows(statement)]

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self._connection.ask(
            lambda asked: [tuple(row) for row in asked.exec_driver_sql(statement)]
        )

    def _execute(self, statement: str) -> None:
        self._connection.ask(lambda asked: asked.exec_driver_sql(statement))

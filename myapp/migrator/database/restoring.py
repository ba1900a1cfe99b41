"""Bring a copied database back to how it was made, much faster than it is copied again."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from .own_connection import OwnConnection
from .whole_sql import run_whole

#: PostgreSQL 14 sends its counts by UDP, some time later.
_OLDEST = 150000
#: Seconds for which a session that is cut off may go on, and until it is looked for again.
_PATIENCE, _LOOK_AGAIN = 5.0, 0.001
_OTHERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type IN ('client backend', 'parallel worker')"
)
# What a session has written is counted when it ends, for the tables of the system too: so no
# CREATE, ALTER or GRANT is missed. ANALYZE, which the server runs by itself, doesn't count. Nor do
# the tables that all databases share: what others do on the server stands there too.
# https://www.postgresql.org/docs/current/monitoring-stats.html
_WRITTEN = (
    "SELECT json_object_agg(oid::bigint, pg_stat_get_tuples_inserted(oid)"
    " + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid))"
    " FROM pg_class WHERE relkind IN ('r', 'm') AND NOT relisshared"
    " AND relname NOT IN ('pg_statistic', 'pg_statistic_ext_data')"
)
#: What belongs to the database and stands in tables that all databases share.
_WHOLE = (
    "SELECT json_build_array(xmin, pg_stat_get_db_stat_reset_time(oid),"
    " shobj_description(oid, 'pg_database'),"
    " (SELECT string_agg(setrole || '=' || setconfig::text, ' ' ORDER BY setrole)"
    " FROM pg_db_role_setting WHERE setdatabase = pg_database.oid),"
    " (SELECT count(*) FROM pg_prepared_xacts WHERE database = datname))"
    " FROM pg_database WHERE datname = current_database()"
)
_EMPTY = (
    "SELECT oid::bigint, oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
    " AND pg_relation_size(oid) = 0"
)
_KEYS = "SELECT confrelid::bigint, conrelid::bigint FROM pg_constraint WHERE contype = 'f'"
_SEQUENCES = "SELECT oid::bigint, oid::regclass::text FROM pg_class WHERE relkind = 'S'"

_STANDS = "SELECT json_object_agg(oid, json_build_array(last_value, is_called)) FROM"


@dataclass(frozen=True)
class _State:
    """How many rows each table has had written, where each sequence stands, and the rest."""

    written: dict[str, int]
    sequences: dict[str, list[Any]]
    whole: list[Any]


class Restorer:
    """Brings one database back to how it was when this was made, if only rows were added since."""

    def __init__(self, connection: OwnConnection) -> None:
        """Cut off all other sessions, whose writing would be counted later on."""
        self._connection = connection
        self._cut_off()
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
            int(oid)
            for oid in now.written | before.written
            if now.written.get(oid) != before.written.get(oid)
        }
        emptied = self._with_referring(changed)
        if not emptied <= self._empty.keys():
            return False
        moved = [oid for oid, value in now.sequences.items() if value != before.sequences[oid]]
        statements = []
        if emptied:
            names = ", ".join(f"ONLY {self._empty[oid]}" for oid in sorted(emptied))
            statements.append(f"TRUNCATE {names};")
        for oid in moved:
            value, is_called = before.sequences[oid]
            statements.append(f"PERFORM setval({oid}::regclass, {value}, {is_called});")
        if not statements:
            return True
        # Each question is a way to the server and back, and there is one test after the other.
        statements.append("PERFORM pg_stat_force_next_flush();")
        self._execute(f"DO $restore$ BEGIN {' '.join(statements)} END $restore$")
        self._state = self._look()
        # A trigger on TRUNCATE may have written elsewhere.
        others = map(str, self._empty.keys() - emptied)
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
        sequences = " UNION ALL ".join(
            f"SELECT {oid}::bigint AS oid, last_value, is_called FROM {name}"  # noqa: S608 - a regclass
            for oid, name in self._sequences.items()
        )
        asked = f"{_STANDS} ({sequences}) AS sequences" if sequences else "NULL"
        [found] = self._rows(f"SELECT ({_WRITTEN})::text, ({asked})::text, ({_WHOLE})::text")
        return _State(*(json.loads(each or "{}") for each in found))

    def _cut_off(self) -> bool:
        """End all other sessions, and wait until they have."""
        if not self._rows(f"SELECT pg_terminate_backend(pid) {_OTHERS}"):
            return True
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
            lambda asked: [tuple(row) for row in run_whole(asked, statement)]
        )

    def _execute(self, statement: str) -> None:
        self._connection.ask(lambda asked: run_whole(asked, statement))

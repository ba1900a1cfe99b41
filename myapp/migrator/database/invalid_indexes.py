"""PostgreSQL's invalid indexes: which there are, what mends them, and which a statement meets.

A CREATE INDEX, REINDEX or DROP INDEX that fails leaves one behind, if it is CONCURRENTLY. No query
uses it and it keeps no rows unique, but it has its name: IF NOT EXISTS takes it for a good one
(https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..base.quoting import literal
from .lexing import statements

#: Whether a session is at work on the index now. Such a session has locked the index, or else its
#: table, and shows its progress; of which index, only members of pg_read_all_stats may see.
_IN_WORK = """
    EXISTS (
        SELECT FROM pg_locks l LEFT JOIN pg_stat_progress_create_index p USING (pid)
        WHERE l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (
            l.relation = i.indexrelid
            OR l.relation = i.indrelid AND p.pid IS NOT NULL
            AND coalesce(p.index_relid, i.indexrelid) = i.indexrelid
        )
    )
"""
#: REINDEX can't mend what it has left itself, nor what is half dropped.
_SELECT = f"""
    SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text, c.relkind = 'I',
        i.indislive AND c.relkind = 'i' AND c.relname !~ '_cc(new|old)[0-9]*$', {_IN_WORK}
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid
"""  # noqa: S608 - all parts are constants of this file
#: An index always stands in the schema of its table.
_IN_SCHEMA = """
    AND c.relname = {name}
    AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass({table}))
"""
_NAMES = """
    SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid
"""

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)'
# Only the keywords ignore the case. For the names, Python would compile this for a long time.
_CREATE_INDEX = re.compile(
    r"(?i:CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?)"
    rf"(?P<name>{_NAME})\s+(?i:ON)\s+(?P<only>(?i:ONLY)\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})*)"
)
_MAY_REMOVE = re.compile(r"DROP|ALTER|REINDEX", re.IGNORECASE)
_LONGEST_NAME = 63

Ask = Callable[[str], list[Any]]


@dataclass(frozen=True, order=True)
class InvalidIndex:
    """An invalid index, and its table, both as SQL names them.

    That of a partitioned table is invalid until each partition has its own.
    """

    name: str
    table: str
    is_partitioned: bool = False
    can_be_rebuilt: bool = True
    is_in_work: bool = False

    @property
    def removal(self) -> str:
        """The statement that removes it."""
        # PostgreSQL can't do this concurrently for a partitioned index.
        return f"DROP INDEX {'' if self.is_partitioned else 'CONCURRENTLY '}{self.name};"

    @property
    def cure(self) -> str:
        """What to type, as a clause."""
        rebuilding = f", `REINDEX INDEX CONCURRENTLY {self.name};` builds it"
        return f"`{self.removal}` removes it{rebuilding if self.can_be_rebuilt else ''}"

    def __str__(self) -> str:
        return f"index {self.name} of table {self.table}"


def left_invalid(ask: Ask) -> frozenset[InvalidIndex]:
    """Return the invalid indexes on which no session is at work.

    A partitioned index is none of them: it is made like that, and becomes valid in time.
    """
    found = (InvalidIndex(*row) for row in ask(_SELECT))
    return frozenset(each for each in found if not (each.is_partitioned or each.is_in_work))


def in_the_way(sql: str, ask: Ask) -> InvalidIndex | None:
    """Return the invalid index whose name an index gets that `sql` would create.

    `ask` runs a query where `sql` will run, since names depend on the session's `search_path`.
    """
    lowered = sql.lower()
    names = {name for (name,) in ask(_NAMES)} if "create" in lowered and "index" in lowered else ()
    for statement in statements(sql) if names else ():
        if _MAY_REMOVE.match(statement):
            break  # what is in the way now may be gone by then
        made = _CREATE_INDEX.match(statement)
        if made is None or (name := _as_stored(made["name"])) not in names:
            continue
        where = _IN_SCHEMA.format(name=literal(name), table=literal(made["table"]))
        for row in ask(_SELECT + where):
            index = InvalidIndex(*row)
            if not (index.is_partitioned and made["only"]):
                return index
    return None


def _as_stored(name: str) -> str:
    """Return an SQL name as the catalogue has it."""
    if name.startswith('"'):
        name = name[1:-1].replace('""', '"')
    else:
        name = "".join(char.lower() if char.isascii() else char for char in name)
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")

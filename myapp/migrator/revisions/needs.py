"""Which rights a revision needs, as the text of its file says it.

It is a help, and no proof: see `calls`. What a file runs and doesn't write out is in doubt.
"""

import ast
import re
from collections.abc import Iterable
from typing import NamedTuple

from .calls import HOLE, NAME, Call, Name, RevisionText, names_in, statements_of

#: The operations on a table, by the place of its name among the arguments, and the keyword.
_ALTERS = {
    "drop_table": (0, "table_name"),
    "add_column": (0, "table_name"),
    "drop_column": (0, "table_name"),
    "alter_column": (0, "table_name"),
    "batch_alter_table": (0, "table_name"),
    "create_table_comment": (0, "table_name"),
    "drop_table_comment": (0, "table_name"),
    "rename_table": (0, "old_table_name"),
    "create_index": (1, "table_name"),
    "drop_index": (1, "table_name"),
    "create_index_concurrently": (1, "table"),
    "drop_index_concurrently": (1, "table"),
    "create_unique_constraint": (1, "table_name"),
    "create_check_constraint": (1, "table_name"),
    "create_primary_key": (1, "table_name"),
    "create_exclude_constraint": (1, "table_name"),
    "create_foreign_key": (1, "source_table"),
    "drop_constraint": (1, "table_name"),
}
_TABLE = rf"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?({NAME})"
_CREATES = re.compile(
    r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:UNLOGGED\s+)?(?:TABLE|(?:MATERIALIZED\s+)?VIEW|SEQUENCE|TYPE"
    rf"|DOMAIN|FUNCTION|PROCEDURE)\s+{_TABLE}",
    re.IGNORECASE,
)
_OF_DATABASE = re.compile(r"\bCREATE\s+(SCHEMA|EXTENSION)\b", re.IGNORECASE)
_OWNED = re.compile(
    rf"\b(?:(?:ALTER|DROP)\s+TABLE\s+{_TABLE}"
    rf"|CREATE\s+(?:UNIQUE\s+)?INDEX\s[^;]*?\sON\s+(?:ONLY\s+)?({NAME}))",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    rf"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?)\s+(?:ONLY\s+)?({NAME})",
    re.IGNORECASE,
)


class Needs(NamedTuple):
    """What a role has to be able to do.

    `creates` are the schemas in which something is made, None for the first of the path. `owns` are
    tables that are altered, indexed or dropped; `changes` are tables whose rows are, with the
    statement in upper case. `of_database` says whether a schema or an extension is made. `is_whole`
    says whether all was written out.
    """

    creates: frozenset[str | None]
    owns: frozenset[Name]
    changes: frozenset[tuple[str, Name]]
    of_database: bool
    is_whole: bool


def needs_of(path: str, function: str = "upgrade") -> Needs:
    """Return what the `function` of a revision file needs, as far as its text says it."""
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return Needs(frozenset(), frozenset(), frozenset(), of_database=False, is_whole=False)
    collected = _Collected(RevisionText(tree, function))
    return Needs(
        frozenset(collected.creates),
        frozenset(collected.owns),
        frozenset(collected.changes),
        collected.of_database,
        collected.is_whole,
    )


class _Collected:
    def __init__(self, text: RevisionText) -> None:
        self._text = text
        self.creates: set[str | None] = set()
        self.owns: set[Name] = set()
        self.changes: set[tuple[str, Name]] = set()
        self.of_database = False
        self.is_whole = True
        for call in text.calls():
            self._take(call)

    def _take(self, call: Call) -> None:
        node, batch = call
        name = node.func.attr if isinstance(node.func, ast.Attribute) else _named(node.func)
        if batch:
            self._own([batch])
        elif name == "create_table":
            self.creates.add(self._text.schema(node))
        elif name == "bulk_insert":
            self.is_whole = False  # its table is an object
        elif name in _ALTERS:
            self._own([Name(self._text.schema(node), self._text.argument(node, *_ALTERS[name]))])
            if name in ("create_index", "create_index_concurrently", "rename_table"):
                self.creates.add(self._text.schema(node))
        match self._text.sql(node):
            case str(sql):
                self._take_sql(sql)
            case ast.expr():
                self.is_whole = False

    def _take_sql(self, sql: str) -> None:
        sql = statements_of(sql) or sql
        self.is_whole = self.is_whole and HOLE not in sql
        self.of_database = self.of_database or bool(_OF_DATABASE.search(sql))
        for found in _CREATES.finditer(sql):
            self.creates |= {name.schema for name in names_in(found[1])}
        for found in _OWNED.finditer(sql):
            self._own(names_in(found[1] or found[3]))
        for found in _CHANGES.finditer(sql):
            verb = found[1].split()[0].upper()
            self.changes |= {(verb, name) for name in names_in(found[2]) if name.table}

    def _own(self, names: Iterable[Name]) -> None:
        for name in names:
            if name.table is None:
                self.is_whole = False
            else:
                self.owns.add(name)


def _named(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def union(each: Iterable[Needs]) -> Needs:
    """Return what all of several revisions need."""
    found = list(each)
    return Needs(
        frozenset().union(*(needs.creates for needs in found)),
        frozenset().union(*(needs.owns for needs in found)),
        frozenset().union(*(needs.changes for needs in found)),
        any(needs.of_database for needs in found),
        all(needs.is_whole for needs in found),
    )

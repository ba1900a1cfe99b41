"""Which rights a revision needs, as the text of its file says it.

It is a help, and no proof: see `calls`. What a file runs and doesn't write out is in doubt.
"""

import ast
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from .calls import HOLE, NAME, Call, Name, RevisionText, names_in, statements_of

Kind = Literal["relation", "type", "function"]
#: The operations on a table, by the place of its name among the arguments, and the keyword.
_ALTERS = {
    "add_column": (0, "table_name"),
    "drop_column": (0, "table_name"),
    "alter_column": (0, "table_name"),
    "batch_alter_table": (0, "table_name"),
    "create_table_comment": (0, "table_name"),
    "drop_table_comment": (0, "table_name"),
    "rename_table": (0, "old_table_name"),
    "create_index": (1, "table_name"),
    "create_index_concurrently": (1, "table_name"),
    "create_unique_constraint": (1, "table_name"),
    "create_check_constraint": (1, "table_name"),
    "create_primary_key": (1, "table_name"),
    "create_exclude_constraint": (1, "table_name"),
    "create_foreign_key": (1, "source_table"),
    "drop_constraint": (1, "table_name"),
}
#: Those that drop it, or something of it: the schema's owner may do that, too.
_DROPS = {
    "drop_table": (0, "table_name"),
    "drop_index": (1, "table_name"),
    "drop_index_concurrently": (1, "table_name"),
}
#: What sends the SQL of an object: `op.bulk_insert(table, ...)`, `Enum(...).create(bind)`.
_OF_OBJECTS = {"bulk_insert", "create", "drop", "create_all", "drop_all"}
#: What the catalogue of relations has, those of types, and those of functions.
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("TABLE", "VIEW", "SEQUENCE", "INDEX"), "relation"),
    **dict.fromkeys(("TYPE", "DOMAIN"), "type"),
    **dict.fromkeys(("FUNCTION", "PROCEDURE", "ROUTINE"), "function"),
}
_KIND = rf"(?:FOREIGN\s+|MATERIALIZED\s+)?(?P<kind>{'|'.join(_KINDS)})\s+(?:CONCURRENTLY\s+)?"
_NAMED = rf"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?(?P<names>{NAME}(?:\s*,\s*{NAME})*)"
_CREATES = re.compile(
    rf"\bCREATE\s+(?P<replaces>OR\s+REPLACE\s+)?(?:UNLOGGED\s+)?(?!INDEX){_KIND}{_NAMED}",
    re.IGNORECASE,
)
_OF_DATABASE = re.compile(r"\bCREATE\s+(SCHEMA|EXTENSION)\b", re.IGNORECASE)
_OWNED = re.compile(
    rf"\b(?P<verb>ALTER|DROP|REFRESH|COMMENT\s+ON)\s+{_KIND}{_NAMED}", re.IGNORECASE
)
#: What only the owner of a table does to it, and names it last.
_ON_TABLE = re.compile(
    r"\b(?:CREATE\s+(?:UNIQUE\s+)?(?:INDEX|POLICY)|(?:ALTER|DROP)\s+(?:POLICY|RULE|TRIGGER))\b"
    rf"[^;]*?\sON\s+{_NAMED}",
    re.IGNORECASE,
)
_GRANTED = re.compile(
    r"\b(?:(?P<verb>INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|REFERENCES)"
    rf"|CREATE\s+(?:OR\s+REPLACE\s+)?(?:CONSTRAINT\s+)?TRIGGER\s[^;]*?\sON)\s+{_NAMED}",
    re.IGNORECASE,
)
_DEFINED = re.compile(r"\b(?:FUNCTION|PROCEDURE)\b", re.IGNORECASE)
_BODY = re.compile(r"(\$\w*\$).*?\1", re.DOTALL)
_LITERAL = re.compile(r"'(?:[^']|'')*'")


class Thing(NamedTuple):
    """Something that is owned: a relation, a type, or the functions of one name."""

    kind: Kind
    name: Name


class Needs(NamedTuple):
    """What a role has to be able to do.

    `creates` are the schemas in which something is made, None for the first of the path. `owns` is
    what is altered, indexed or replaced, and `drops` what is dropped. `granted` are tables with a
    privilege on them that need not be the owner's, as GRANT has it. `of_database` says whether a
    schema or an extension is made. `is_whole` says whether all was written out.
    """

    creates: frozenset[str | None]
    owns: frozenset[Thing]
    drops: frozenset[Thing]
    granted: frozenset[tuple[str, Name]]
    of_database: bool
    is_whole: bool


#: What needs nothing.
_NONE = Needs(frozenset(), frozenset(), frozenset(), frozenset(), of_database=False, is_whole=True)


def needs_of(path: str, function: str = "upgrade") -> Needs:
    """Return what the `function` of a revision file needs, as far as its text says it."""
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return _NONE._replace(is_whole=False)
    collected = _Collected(RevisionText(tree, function))
    return Needs(
        frozenset(collected.creates),
        frozenset(collected.owns),
        frozenset(collected.drops),
        frozenset(collected.granted),
        collected.of_database,
        collected.is_whole,
    )


class _Collected:
    def __init__(self, text: RevisionText) -> None:
        self._text = text
        self.creates: set[str | None] = set()
        self.owns: set[Thing] = set()
        self.drops: set[Thing] = set()
        self.granted: set[tuple[str, Name]] = set()
        self.of_database = False
        self.is_whole = True
        for call in text.calls():
            self._take(call)

    def _take(self, call: Call) -> None:
        node, batch = call
        name = node.func.attr if isinstance(node.func, ast.Attribute) else _named(node.func)
        if batch:
            self._own("relation", [batch])
        elif name == "create_table":
            self.creates.add(self._text.schema(node))
        elif name == "bulk_insert" or (
            name in _OF_OBJECTS and isinstance(node.func, ast.Attribute)
        ):
            self.is_whole = False  # what it sends is an object's
        elif name in _DROPS:
            found = Name(self._text.schema(node), self._text.argument(node, *_DROPS[name]))
            if found.table is None and name != "drop_table":
                found = Name(found.schema, self._text.argument(node, 0, "index_name"))
            self._own("relation", [found], self.drops)
        elif name in _ALTERS:
            schema = self._text.schema(node) or self._keyword(node, "source_schema")
            self._own("relation", [Name(schema, self._text.argument(node, *_ALTERS[name]))])
            if name in ("create_index", "create_index_concurrently", "rename_table"):
                self.creates.add(schema)
        self._take_reference(node, name, is_batch=bool(batch))
        match self._text.sql(node):
            case str(sql):
                self._take_sql(sql)
            case ast.expr():
                self.is_whole = False

    def _take_reference(self, node: ast.Call, name: str, *, is_batch: bool) -> None:
        """Note the table to which a new foreign key leads."""
        if name == "create_foreign_key":
            table = self._text.argument(node, 1 if is_batch else 2, "referent_table")
            found = Name(self._keyword(node, "referent_schema"), table)
        elif name in ("ForeignKey", "ForeignKeyConstraint"):
            place = (0, "column") if name == "ForeignKey" else (1, "refcolumns")
            column = self._text.argument(node, *place) or ""
            schema, table, _ = [None, None, None, *column.split(".")][-3:]
            found = Name(schema, table)
        else:
            return
        if found.table:
            self.granted.add(("REFERENCES", found))
        else:
            self.is_whole = False

    def _keyword(self, node: ast.Call, keyword: str) -> str | None:
        return self._text.argument(node, len(node.args), keyword)

    def _take_sql(self, sql: str) -> None:
        if not statements_of(sql) and _DEFINED.search(sql):
            sql = _BODY.sub("", sql)  # it isn't run yet
        sql = _LITERAL.sub("''", statements_of(sql) or sql)
        self.is_whole = self.is_whole and HOLE not in sql
        self.of_database = self.of_database or bool(_OF_DATABASE.search(sql))
        for found in _CREATES.finditer(sql):
            self.creates |= {each.schema for each in names_in(found["names"])}
            if found["replaces"]:
                self._own(_kind(found), names_in(found["names"]))
        for found in _OWNED.finditer(sql):
            into = self.drops if found["verb"].upper() == "DROP" else self.owns
            self._own(_kind(found), names_in(found["names"]), into)
        for found in _ON_TABLE.finditer(sql):
            self._own("relation", names_in(found["names"]))
        for found in _GRANTED.finditer(sql):
            verb = (found["verb"] or "TRIGGER").split()[0].upper()
            self.granted |= {(verb, each) for each in names_in(found["names"]) if each.table}

    def _own(self, kind: Kind, names: Iterable[Name], into: set[Thing] | None = None) -> None:
        for name in names:
            if name.table is None:
                self.is_whole = False
            else:
                (self.owns if into is None else into).add(Thing(kind, name))


def _kind(found: re.Match[str]) -> Kind:
    return _KINDS[found["kind"].upper()]


def _named(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def union(each: Iterable[Needs]) -> Needs:
    """Return what all of several revisions need."""
    found = _NONE
    for needs in each:
        found = Needs(
            found.creates | needs.creates,
            found.owns | needs.owns,
            found.drops | needs.drops,
            found.granted | needs.granted,
            found.of_database or needs.of_database,
            found.is_whole and needs.is_whole,
        )
    return found

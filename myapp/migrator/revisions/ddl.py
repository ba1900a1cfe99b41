"""What a statement that changes a schema says: its tables, columns and constraints."""

import re
from itertools import pairwise
from typing import NamedTuple

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_TABLE = rf"(?:(?P<schema>{_NAME})\.)?(?P<table>{_NAME})"
_ALTER = re.compile(
    rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{_TABLE}(?: ?\*)? (?P<action>.+)$", re.I | re.S
)
_INDEX = re.compile(
    rf"CREATE (?P<unique>UNIQUE )?INDEX (?P<concurrently>CONCURRENTLY )?(?:IF NOT EXISTS )?"
    rf"(?:(?P<name>{_NAME}) )?ON (?:ONLY )?{_TABLE} ?(?:USING (?P<using>\w+) ?)?\((?P<rest>.+)$",
    re.I | re.S,
)
_CONSTRAINT = rf"ADD (?:CONSTRAINT (?P<name>{_NAME}) )?"
_ACTIONS = {
    kind: re.compile(pattern, re.I | re.S)
    for kind, pattern in {
        "foreign_key": _CONSTRAINT + r"FOREIGN KEY ?\((?P<columns>[^)]+)\) ?REFERENCES"
        rf" (?P<other>(?:{_NAME}\.)?{_NAME}) ?(?:\((?P<others>[^)]+)\))?(?P<rest>.*)$",
        "check": _CONSTRAINT + r"CHECK ?\((?P<condition>.+)\)(?P<rest>[^)]*)$",
        "unique": _CONSTRAINT
        + r"UNIQUE ?(?P<nulls>NULLS (?:NOT )?DISTINCT ?)?\((?P<columns>[^)]+)\)(?P<rest>.*)$",
        "primary_key": _CONSTRAINT + r"PRIMARY KEY ?\((?P<columns>[^)]+)\)(?P<rest>.*)$",
        "validate": rf"VALIDATE CONSTRAINT (?P<name>{_NAME})$",
        "exclude": _CONSTRAINT + r"EXCLUDE\b(?P<rest>.*)$",
        "constraint": r"ADD (?:CONSTRAINT|EXCLUDE|UNIQUE|PRIMARY|CHECK|FOREIGN)\b(?P<rest>.*)$",
        "add_column": rf"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(?P<column>{_NAME}) (?P<rest>.+)$",
        "set_not_null": rf"ALTER (?:COLUMN )?(?P<column>{_NAME}) SET NOT NULL$",
        "type": rf"ALTER (?:COLUMN )?(?P<column>{_NAME}) (?:SET DATA )?TYPE (?P<type>.+?)"
        r"(?: USING (?P<using>.+))?$",
        "rename_table": rf"RENAME TO (?P<new>{_NAME})$",
        "rename_column": rf"RENAME (?:COLUMN )?(?P<column>{_NAME}) TO (?P<new>{_NAME})$",
        "attach": rf"ATTACH PARTITION (?P<other>(?:{_NAME}\.)?{_NAME}) (?P<rest>.+)$",
        "detach": rf"DETACH PARTITION (?P<other>(?:{_NAME}\.)?{_NAME})$",
        "drop_constraint": r"DROP CONSTRAINT\b(?P<rest>.*)$",
        "drop_column": rf"DROP (?:COLUMN )?(?:IF EXISTS )?(?P<column>{_NAME})(?P<rest>.*)$",
    }.items()
}
_OTHERS = {
    "drop_table": re.compile(rf"DROP TABLE (?:IF EXISTS )?{_TABLE}(?P<rest>.*)$", re.I | re.S),
    "update": re.compile(
        rf"UPDATE (?:ONLY )?{_TABLE} SET (?P<set>.+?)(?: WHERE (?P<where>.+))?$",  # noqa: S608 - a pattern
        re.I | re.S,
    ),
    "delete": re.compile(rf"DELETE FROM (?:ONLY )?{_TABLE}(?: WHERE (?P<where>.+))?$", re.I | re.S),  # noqa: S608 - a pattern
    "reindex": re.compile(
        rf"REINDEX (?:\([^)]*\) ?)?(?P<what>INDEX|TABLE|SCHEMA) (?P<concurrently>CONCURRENTLY )?"
        rf"{_TABLE}$",
        re.I,
    ),
    "refresh": re.compile(
        rf"REFRESH MATERIALIZED VIEW (?P<concurrently>CONCURRENTLY )?{_TABLE}(?: WITH DATA)?$", re.I
    ),
    "drop_index": re.compile(rf"DROP INDEX (?:IF EXISTS )?{_TABLE}$", re.I),
    "domain": re.compile(rf"ALTER DOMAIN {_TABLE} ADD (?P<rest>.+)$", re.I | re.S),
    "create_view": re.compile(rf"CREATE (?:OR REPLACE )?VIEW {_TABLE}\b(?P<rest>.*)$", re.I | re.S),
}
_COPIES = re.compile(r"INSERT INTO \W?_alembic_tmp_(\w+)", re.I)

#: After these words stand tables. A name is only looked at, as it may be such a word itself.
_NAMES = rf"(?:{_NAME}\s*\.\s*)?{_NAME}"
_NAMED = re.compile(
    r"\b(?:TABLE|EXISTS|ONLY|ON|UPDATE|INTO|FROM|JOIN|USING|REFERENCES|PARTITION|TRUNCATE|COPY|LOCK"
    r"|ANALYZE|CLUSTER|VACUUM|VIEW|INDEX|CONCURRENTLY)\b\s*"
    rf"(?=COLUMN\s+(?P<owner>{_NAMES})\s*\.|(?P<names>{_NAMES}(?:(?:\s+{_NAME}){{0,2}}\s*,\s*{_NAMES})*))",
    re.I,
)
_EACH_NAMED = re.compile(rf"(?:^|,)\s*(?:(?P<schema>{_NAME})\s*\.\s*)?(?P<name>{_NAME})")

#: Literals and quoted names stay as they are; comments and blanks are one blank.
_UNREAD = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"""
    r"|(?:\s|--[^\n]*|/\*.*?\*/)+",
    re.S,
)


class Change(NamedTuple):
    """One change: its kind, the table, its schema, and the other parts, as SQL writes them."""

    kind: str
    table: str
    schema: str | None
    parts: dict[str, str]

    @property
    def sql_table(self) -> str:
        """The table's name as it stands in SQL."""
        return f"{self.schema}.{self.table}" if self.schema else self.table

    def get(self, part: str) -> str:
        """Return a part as SQL writes it, empty if there is none."""
        return self.parts.get(part, "")

    def name(self, part: str) -> str:
        """Return a name without its quotes."""
        return plain(self.get(part))


def changes(sql: str) -> list[Change]:
    """Return the changes of what is sent at once: several statements, or actions of ALTER TABLE.

    There is none where a statement is of another kind.
    """
    sql = _UNREAD.sub(lambda found: found["kept"] or " ", sql)
    return [change for each in top_level(sql, ";") for change in _changes(each)]


def _changes(sql: str) -> list[Change]:
    if found := _INDEX.match(sql):
        return [_change("index", found.groupdict())]
    for kind, pattern in _OTHERS.items():
        if found := pattern.match(sql):
            return [_change(kind, found.groupdict())]
    altered = _ALTER.match(sql)
    if not altered:
        return []
    place = {"table": altered["table"], "schema": altered["schema"]}
    return [
        _change(kind, place | found.groupdict())
        for action in top_level(altered["action"])
        for kind, found in [_action(action)]
        if found
    ]


def renamed_column(sql: str) -> tuple[str, str] | None:
    """Return the table, as SQL writes it, and the column, without quotes, that are renamed."""
    for each in changes(sql):
        if each.kind == "rename_column":
            return each.sql_table, each.name("column")
    return None


def named(sql: str) -> set[tuple[str | None, str]]:
    """Return the schemas and names of what a statement names where tables and indexes stand.

    Not each of them need be one. The body of DO is looked through, too.
    """

    def read(found: re.Match[str]) -> str:
        kept = found["kept"] or " "
        return "''" if kept.startswith("'") else kept

    return {
        (each["schema"] and _folded(each["schema"]), _folded(each["name"]))
        for found in _NAMED.finditer(_UNREAD.sub(read, sql))
        for each in _EACH_NAMED.finditer(found["owner"] or found["names"])
    }


def copied_by(sql: str) -> str | None:
    """Return the table that a batch operation copies as a whole, by this statement."""
    found = _COPIES.match(sql.strip())
    return found[1] if found else None


def plain(name: str) -> str:
    """Return a name of SQL without its quotes."""
    if name.startswith('"'):
        return name[1:-1].replace('""', '"')
    return name


def _folded(name: str) -> str:
    """Return a name of SQL as PostgreSQL keeps it."""
    return plain(name) if name.startswith('"') else name.lower()


def top_level(text: str, separator: str = ",") -> list[str]:
    """Return the parts of `text` between separators outside of brackets and quotes."""
    places = [at for at, char in enumerate(masked(text)) if char == separator]
    return [text[at + 1 : end].strip() for at, end in pairwise([-1, *places, len(text)])]


def masked(text: str) -> str:
    """Return `text`, of the same length, with an `x` for all that stands in brackets or quotes."""

    def hidden(found: re.Match[str]) -> str:
        return found[0] if found["tag"] is None else "x" * len(found[0])

    shown, depth, quote = "", 0, ""
    for char in _UNREAD.sub(hidden, text):
        is_inner = bool(depth or quote)
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        else:
            depth += (char in "([") - (char in ")]")
        shown += "x" if is_inner and (depth or quote) else char
    return shown


def closing(text: str) -> int:
    """Return where the bracket closes that was opened before `text`; its length if it doesn't."""
    at = masked(f"({text}").find(")")
    return len(text) if at < 0 else at - 1


def _action(action: str) -> tuple[str, re.Match[str] | None]:
    for kind, pattern in _ACTIONS.items():
        if found := pattern.match(action):
            return kind, found
    return "", None


def _change(kind: str, parts: dict[str, str | None]) -> Change:
    given = {key: value.strip() for key, value in parts.items() if value}
    return Change(kind, given.pop("table"), given.pop("schema", None), given)

"""What a revision drops, as the text of its file says it.

It is a warning, and no proof. The file isn't run: what it makes up while it runs, or does in a
function of another file, isn't seen. A name that it doesn't write out is None.
"""

import ast
import re
from collections.abc import Iterator

from ..base.losses import Drop
from .calls import NAME, Name, RevisionText, names_in, statements_of, without_other

#: Without one of these words, nothing is dropped, and the file need not be parsed.
_WORDS = re.compile(r"drop|truncate|delete", re.IGNORECASE)
_RENAMES = re.compile(r"rename|new_(?:column|table)_name", re.IGNORECASE)
_NO_COLUMN = "CONSTRAINT|DEFAULT|NOT|EXPRESSION|IDENTITY|INDEX|KEY|PRIMARY|FOREIGN|PARTITION|CHECK"
_DROP_TABLE = re.compile(
    rf"\bDROP\s+(TABLE|SCHEMA)\s+(?:IF\s+EXISTS\s+)?({NAME}(?:\s*,\s*{NAME})*)", re.IGNORECASE
)
_ALTER_TABLE = re.compile(
    rf"\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{NAME}([^;]*)", re.IGNORECASE
)
_DROP_COLUMN = re.compile(
    rf"\bDROP\s+(?!(?:{_NO_COLUMN})\b)(?:COLUMN\s+)?(?:IF\s+EXISTS\s+)?{NAME}", re.IGNORECASE
)
_ROWS = re.compile(
    rf"\b(?:DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?)\s+(?:ONLY\s+)?({NAME}(?:\s*,\s*{NAME})*)",
    re.IGNORECASE,
)


def drops_of(path: str, function: str) -> tuple[Drop, ...]:
    """Return what the `function` of a revision file, `upgrade` or `downgrade`, drops.

    That is nothing where the file can't be read: it may have gone since it was imported.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if not path.endswith(".py") or not _WORDS.search(without_other(text, function)):
            return ()
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(dict.fromkeys(_drops(RevisionText(tree, function))))


def renames(path: str, function: str) -> bool:
    """Tell whether the `function` of a revision file may rename something."""
    try:
        with open(path, encoding="utf-8") as file:
            return bool(_RENAMES.search(without_other(file.read(), function)))
    except (OSError, ValueError):
        return False


def _drops(file: RevisionText) -> Iterator[Drop]:
    for call, batch in file.calls():
        yield from _of_call(file, call, batch)


def _of_call(file: RevisionText, call: ast.Call, batch: Name | None) -> Iterator[Drop]:
    match call.func:
        case ast.Attribute(attr="drop_table"):
            yield Drop("table", file.argument(call, 0, "table_name"), None, file.schema(call))
        case ast.Attribute(attr="drop_column") if batch:
            column = file.argument(call, 0, "column_name")
            yield Drop("column", batch.table, column, batch.schema)
        case ast.Attribute(attr="drop_column") if len(call.args) + len(call.keywords) == 1:
            yield Drop("column", None, file.argument(call, 0, "column_name"))
        case ast.Attribute(attr="drop_column"):
            table = file.argument(call, 0, "table_name")
            column = file.argument(call, 1, "column_name")
            yield Drop("column", table, column, file.schema(call))
        case ast.Attribute(attr="drop_all"):
            yield Drop("table")
    match file.sql(call):
        case str(sql):
            yield from drops_in_sql(sql)
        case ast.Call(func=ast.Attribute(attr="delete") | ast.Name(id="delete")):
            yield Drop("rows")


def drops_in_sql(sql: str) -> Iterator[Drop]:
    """Yield what the statements of `sql` drop."""
    sql = statements_of(sql)
    for kind, names, *_ in _DROP_TABLE.findall(sql):
        for schema, table in names_in(names):
            yield (
                Drop("schema", schema=table)
                if kind.upper() == "SCHEMA"
                else Drop("table", table, None, schema)
            )
    for name, rest in _ALTER_TABLE.findall(sql):
        ((schema, table),) = names_in(name)
        for column in _DROP_COLUMN.findall(rest):
            yield Drop("column", table, next(names_in(column)).table, schema)
    for names, *_ in _ROWS.findall(sql):
        for schema, table in names_in(names):
            yield Drop("rows", table, None, schema)

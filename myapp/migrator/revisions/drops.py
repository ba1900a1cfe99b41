"""What a revision drops, as the text of its file says it.

It is a warning, and no proof. The file isn't run: what it makes up while it runs, or does in a
function of another file, isn't seen. A name that it doesn't write out is None.
"""

import ast
import re
from collections.abc import Iterator

from ..base.losses import Drop

_OTHER = {"upgrade": "downgrade", "downgrade": "upgrade"}
#: Without one of these words, nothing is dropped, and the file need not be parsed.
_WORDS = re.compile(r"drop|truncate|delete", re.IGNORECASE)
_RENAMES = re.compile(r"rename|new_(?:column|table)_name", re.IGNORECASE)
_RUN_SQL = {"execute", "exec_driver_sql", "scalar", "scalars"}
#: What stands for a part of an SQL text that isn't written out.
_HOLE = "\N{OBJECT REPLACEMENT CHARACTER}"
_NAME = rf'((?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$.{_HOLE}])+)'
_NO_COLUMN = "CONSTRAINT|DEFAULT|NOT|EXPRESSION|IDENTITY|INDEX|KEY|PRIMARY|FOREIGN|PARTITION|CHECK"
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_DROP_TABLE = re.compile(
    rf"\bDROP\s+(TABLE|SCHEMA)\s+(?:IF\s+EXISTS\s+)?({_NAME}(?:\s*,\s*{_NAME})*)", re.IGNORECASE
)
_ALTER_TABLE = re.compile(
    rf"\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}([^;]*)", re.IGNORECASE
)
_DROP_COLUMN = re.compile(
    rf"\bDROP\s+(?!(?:{_NO_COLUMN})\b)(?:COLUMN\s+)?(?:IF\s+EXISTS\s+)?{_NAME}", re.IGNORECASE
)
_ROWS = re.compile(
    rf"\b(?:DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?)\s+(?:ONLY\s+)?({_NAME}(?:\s*,\s*{_NAME})*)",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|TRIGGER|PROCEDURE|RULE)\b", re.IGNORECASE
)
_PART = re.compile(r'"([^"]+)"|`([^`]+)`|\[([^\]]+)\]|([^."`\[\]]+)')


def drops_of(path: str, function: str) -> tuple[Drop, ...]:
    """Return what the `function` of a revision file, `upgrade` or `downgrade`, drops.

    That is nothing where the file can't be read: it may have gone since it was imported.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if not path.endswith(".py") or not _WORDS.search(_without(text, _OTHER[function])):
            return ()
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(dict.fromkeys(_File(tree, function).drops()))


def renames(path: str, function: str) -> bool:
    """Tell whether the `function` of a revision file may rename something."""
    try:
        with open(path, encoding="utf-8") as file:
            return bool(_RENAMES.search(_without(file.read(), _OTHER[function])))
    except (OSError, ValueError):
        return False


def _without(text: str, function: str) -> str:
    """Return `text` without that function, up to the next one."""
    before, start, rest = text.partition(f"\ndef {function}(")
    return f"{before}{start}{''.join(rest.partition(chr(10) + 'def ')[1:])}"


class _File:
    def __init__(self, tree: ast.Module, function: str) -> None:
        self._begin = function
        self._functions = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)
        }
        self._constants = dict(_assigned(tree))
        self._seen: set[str] = set()

    def drops(self) -> Iterator[Drop]:
        yield from self._of_function(self._begin)

    def _of_function(self, name: str) -> Iterator[Drop]:
        if name in self._seen or name not in self._functions:
            return
        self._seen.add(name)
        function = self._functions[name]
        tables: dict[str, Drop] = {}
        for node in _in_order(function):
            if isinstance(node, ast.withitem):
                self._note_batch(node, tables)
            if isinstance(node, ast.Call):
                yield from self._of_call(node, tables)

    def _of_call(self, call: ast.Call, tables: dict[str, Drop]) -> Iterator[Drop]:
        match call.func:
            case ast.Name(id="globals"):  # the template multidb: `globals()["upgrade_" + name]()`
                for name in self._functions:
                    if name.startswith(f"{self._begin}_"):
                        yield from self._of_function(name)
            case ast.Name(id=name):
                yield from self._of_function(name)
            case ast.Attribute(attr="drop_table"):
                yield Drop("table", self._argument(call, 0, "table_name"), None, self._schema(call))
            case ast.Attribute(attr="drop_column", value=ast.Name(id=name)) if name in tables:
                column = self._argument(call, 0, "column_name")
                batch = tables[name]
                yield Drop("column", batch.table, column, batch.schema)
            case ast.Attribute(attr="drop_column") if len(call.args) + len(call.keywords) == 1:
                yield Drop("column", None, self._argument(call, 0, "column_name"))
            case ast.Attribute(attr="drop_column"):
                table = self._argument(call, 0, "table_name")
                yield Drop(
                    "column", table, self._argument(call, 1, "column_name"), self._schema(call)
                )
            case ast.Attribute(attr="drop_all"):
                yield Drop("table")
            case ast.Attribute(attr=attr) if attr in _RUN_SQL and call.args:
                yield from self._of_sql(call.args[0])

    def _of_sql(self, argument: ast.expr) -> Iterator[Drop]:
        match argument:
            case ast.Call(func=ast.Attribute(attr="delete") | ast.Name(id="delete")):
                yield Drop("rows")
            case ast.Call(func=ast.Attribute(value=ast.Call() as inner)):  # `.where(...)`
                yield from self._of_sql(inner)
            case ast.Call(
                func=ast.Attribute(attr="text" | "DDL") | ast.Name(id="text" | "DDL"),
                args=[first, *_],
            ):
                yield from drops_in_sql(self._text(first) or "")
            case _:
                yield from drops_in_sql(self._text(argument) or "")

    def _note_batch(self, item: ast.withitem, tables: dict[str, Drop]) -> None:
        """Keep the table of `with op.batch_alter_table("users") as NAME`."""
        match item:
            case ast.withitem(
                context_expr=ast.Call(func=ast.Attribute(attr="batch_alter_table")) as call,
                optional_vars=ast.Name(id=name),
            ):
                table = self._argument(call, 0, "table_name")
                tables[name] = Drop("column", table, None, self._schema(call))

    def _argument(self, call: ast.Call, place: int, keyword: str) -> str | None:
        found = [each.value for each in call.keywords if each.arg == keyword]
        found += call.args[place : place + 1]
        text = self._text(found[0]) if found else None
        return None if text is None or _HOLE in text else text

    def _schema(self, call: ast.Call) -> str | None:
        return self._argument(call, len(call.args), "schema")

    def _text(self, node: ast.expr) -> str | None:
        """Return a text that is written out, with a hole for each part that isn't."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id=name):
                return self._constants.get(name)
            case ast.JoinedStr(values=parts):
                return "".join(self._text(part) or _HOLE for part in parts)
            case ast.FormattedValue(value=value):
                return self._text(value)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return f"{self._text(left) or _HOLE}{self._text(right) or _HOLE}"
            case (
                ast.BinOp(op=ast.Mod(), left=left)
                | ast.Call(func=ast.Attribute(attr="format", value=left))
            ):
                whole = self._text(left)
                return whole and re.sub(r"%\(?\w+\)?s?|\{\w*\}", _HOLE, whole)
        return None


def drops_in_sql(sql: str) -> Iterator[Drop]:
    """Yield what the statements of `sql` drop."""
    if _DEFINITION.search(sql):
        return  # what is defined isn't run
    sql = _COMMENT.sub(" ", sql)
    for kind, names, *_ in _DROP_TABLE.findall(sql):
        for name in _names(names):
            schema, table = _split(name)
            yield (
                Drop("schema", schema=table)
                if kind.upper() == "SCHEMA"
                else Drop("table", table, None, schema)
            )
    for name, rest in _ALTER_TABLE.findall(sql):
        schema, table = _split(name)
        for column in _DROP_COLUMN.findall(rest):
            yield Drop("column", table, _split(column)[1], schema)
    for names, *_ in _ROWS.findall(sql):
        for name in _names(names):
            schema, table = _split(name)
            yield Drop("rows", table, None, schema)


def _names(listed: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(_NAME, listed))


def _split(name: str) -> tuple[str | None, str | None]:
    """Return the schema and the name itself, as the database has them."""
    parts: list[str | None] = []
    for match in _PART.finditer(name):
        quoted = match[1] or match[2] or match[3]
        parts.append(None if _HOLE in match[0] else quoted or match[4].lower())
    return (parts[-2] if len(parts) > 1 else None), (parts[-1] if parts else None)


def _assigned(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that stand for a text, in the file or in a function of it."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                yield name, text


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes below `node` in the order of the text, which `ast.walk` doesn't keep."""
    for child in ast.iter_child_nodes(node):
        yield child
        yield from _in_order(child)

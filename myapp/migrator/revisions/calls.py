"""What a revision calls, and the SQL that it writes out, as the text of its file says it.

The file isn't run: what it makes up while it runs, or does in a function of another file, isn't
seen.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

_OTHER = {"upgrade": "downgrade", "downgrade": "upgrade"}
_RUN_SQL = {"execute", "exec_driver_sql", "scalar", "scalars"}
#: What stands for a part of an SQL text that isn't written out.
HOLE = "\N{OBJECT REPLACEMENT CHARACTER}"
#: The name of something in SQL.
NAME = rf'((?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$.{HOLE}])+)'
_DEFINITION = re.compile(
    r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|TRIGGER|PROCEDURE|RULE)\b", re.IGNORECASE
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_PART = re.compile(r'"([^"]+)"|`([^`]+)`|\[([^\]]+)\]|([^."`\[\]]+)')


class Name(NamedTuple):
    """A table as a file names it; None for what it doesn't write out."""

    schema: str | None
    table: str | None


class Call(NamedTuple):
    """A call, and the table of the batch in which it stands, if it does."""

    node: ast.Call
    batch: Name | None


def without_other(text: str, function: str) -> str:
    """Return the `text` of a file without its other function than `function`; it may not parse."""
    before, start, rest = text.partition(f"\ndef {_OTHER[function]}(")
    return f"{before}{start}{''.join(rest.partition(chr(10) + 'def ')[1:])}"


class RevisionText:
    """One function of a revision file, with those of the file that it calls."""

    def __init__(self, tree: ast.Module, function: str) -> None:
        self._begin = function
        self._functions = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)
        }
        self._constants = dict(_assigned(tree))
        self._seen: set[str] = set()

    def calls(self) -> Iterator[Call]:
        """Yield all calls, in the order of the text."""
        self._seen.clear()
        yield from self._of_function(self._begin)

    def _of_function(self, name: str) -> Iterator[Call]:
        if name in self._seen or name not in self._functions:
            return
        self._seen.add(name)
        tables: dict[str, Name] = {}
        for node in _in_order(self._functions[name]):
            if isinstance(node, ast.withitem):
                self._note_batch(node, tables)
            if isinstance(node, ast.Call):
                yield from self._of_call(node, tables)

    def _of_call(self, call: ast.Call, tables: dict[str, Name]) -> Iterator[Call]:
        match call.func:
            case ast.Name(id="globals"):  # the template multidb: `globals()["upgrade_" + name]()`
                for name in self._functions:
                    if name.startswith(f"{self._begin}_"):
                        yield from self._of_function(name)
            case ast.Name(id=name) if name in self._functions:
                yield from self._of_function(name)
            case ast.Attribute(value=ast.Name(id=name)) if name in tables:
                yield Call(call, tables[name])
            case _:
                yield Call(call, None)

    def _note_batch(self, item: ast.withitem, tables: dict[str, Name]) -> None:
        """Keep the table of `with op.batch_alter_table("users") as NAME`."""
        match item:
            case ast.withitem(
                context_expr=ast.Call(func=ast.Attribute(attr="batch_alter_table")) as call,
                optional_vars=ast.Name(id=name),
            ):
                tables[name] = Name(self.schema(call), self.argument(call, 0, "table_name"))

    def argument(self, call: ast.Call, place: int, keyword: str) -> str | None:
        """Return an argument that is a text and written out; of a list, the first of it."""
        found = [each.value for each in call.keywords if each.arg == keyword]
        found += call.args[place : place + 1]
        if found and isinstance(found[0], ast.List):
            found = found[0].elts
        text = self._text(found[0]) if found else None
        return None if text is None or HOLE in text else text

    def schema(self, call: ast.Call) -> str | None:
        """Return the schema that a call names."""
        return self.argument(call, len(call.args), "schema")

    def sql(self, call: ast.Call) -> str | ast.expr | None:
        """Return the SQL that a call runs, with a hole for each part that isn't written out.

        What runs and is no text is returned itself. None where nothing runs.
        """
        match call.func:
            case ast.Attribute(attr=attr) if attr in _RUN_SQL and call.args:
                return self._sql(call.args[0])
        return None

    def _sql(self, argument: ast.expr) -> str | ast.expr:
        match argument:
            case ast.Call(
                func=ast.Attribute(attr="text" | "DDL") | ast.Name(id="text" | "DDL"),
                args=[first, *_],
            ):
                argument = first
            case ast.Call(func=ast.Attribute(value=ast.Call() as inner)):  # `.where(...)`
                return self._sql(inner)
        text = self._text(argument)
        return argument if text is None else text

    def _text(self, node: ast.expr) -> str | None:
        """Return a text that is written out, with a hole for each part that isn't."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id=name):
                return self._constants.get(name)
            case ast.JoinedStr(values=parts):
                return "".join(self._text(part) or HOLE for part in parts)
            case ast.FormattedValue(value=value):
                return self._text(value)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return f"{self._text(left) or HOLE}{self._text(right) or HOLE}"
            case (
                ast.BinOp(op=ast.Mod(), left=left)
                | ast.Call(func=ast.Attribute(attr="format", value=left))
            ):
                whole = self._text(left)
                return whole and re.sub(r"%\(?\w+\)?s?|\{\w*\}", HOLE, whole)
        return None


def statements_of(sql: str) -> str:
    """Return `sql` without its comments; without anything where it defines what isn't run yet."""
    return "" if _DEFINITION.search(sql) else _COMMENT.sub(" ", sql)


def names_in(listed: str) -> Iterator[Name]:
    """Yield the tables of a list in SQL, as the database has them."""
    for match in re.finditer(NAME, listed):
        parts: list[str | None] = []
        for part in _PART.finditer(match[0]):
            quoted = part[1] or part[2] or part[3]
            parts.append(None if HOLE in part[0] else quoted or part[4].lower())
        yield Name(parts[-2] if len(parts) > 1 else None, parts[-1] if parts else None)


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

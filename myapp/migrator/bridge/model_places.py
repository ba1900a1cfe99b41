"""Where in the application's files a table of the models stands."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from alembic.operations import ops

from ..settings.settings import Settings
from .models import models_module
from .operations import table_of

Place = tuple[str, int]


def place_in_models(settings: Settings, operation: ops.MigrateOperation) -> Place | None:
    """Return the file and line of what `operation` changes: the column, its table, or the models.

    A class is found by its `__tablename__`, and a `Table` by its first argument. None where
    `alembic.target_metadata` names no module that is imported.
    """
    module = models_module(settings)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return None
    table = table_of(operation).rpartition(".")[2]
    column = getattr(operation, "column_name", None) or getattr(
        getattr(operation, "column", None), "name", None
    )
    for path in _files(module.__name__.partition(".")[0]):
        for each in _tables_in(path):
            if each.name == table:
                return path, each.columns.get(str(column), each.line)
    return file, 1


class _Table(NamedTuple):
    name: str
    line: int
    columns: dict[str, int]


def _files(package: str) -> Iterator[str]:
    """Yield the files of the modules of `package` that are imported."""
    for name, module in sorted(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if name.partition(".")[0] == package and path and path.endswith(".py"):
            yield path


@cache
def _tables_in(path: str) -> tuple[_Table, ...]:
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(found for node in ast.walk(tree) if (found := _table(node)))


def _table(node: ast.AST) -> _Table | None:
    if isinstance(node, ast.ClassDef):
        lines = dict(_assigned(node))
        name = lines.get("__tablename__", (0, None))[1]
        if name is not None:
            columns = {key: line for key, (line, _) in lines.items()}
            columns |= {column: line for line, column in lines.values() if column}
            return _Table(name, node.lineno, columns)
    if isinstance(node, ast.Call) and _called(node) == "Table" and (name := _first(node)):
        inner = [each for each in node.args if isinstance(each, ast.Call)]
        return _Table(name, node.lineno, {str(_first(each)): each.lineno for each in inner})
    return None


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, tuple[int, str | None]]]:
    """Yield what a class assigns: the name, its line, and the text that names it otherwise."""
    for each in node.body:
        targets = each.targets if isinstance(each, ast.Assign) else [getattr(each, "target", None)]
        value = getattr(each, "value", None)
        text = _first(value) if isinstance(value, ast.Call) else _text(value)
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, (each.lineno, text)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _first(node: ast.Call) -> str | None:
    return _text(node.args[0]) if node.args else None


def _text(node: ast.AST | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None

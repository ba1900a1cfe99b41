"""Where the parts of a revision file stand, and whether its functions do anything."""

import ast
import warnings
from typing import Literal, NamedTuple

#: `works`, does nothing, or only raises an exception; `missing` where there is no such function.
Deed = Literal["works", "empty", "raises", "missing"]


class Function(NamedTuple):
    """A function of a revision file: its line, from 1, and what it does."""

    line: int = 1
    deed: Deed = "missing"


class Layout(NamedTuple):
    """The parts of one file. `down_revision` is the line that says what comes before it."""

    has_docstring: bool
    down_revision: int
    upgrade: Function
    downgrade: Function


def layout_of(path: str) -> Layout | None:
    """Return the parts of a revision file, None where it can't be read as Python."""
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return None
    functions = {
        each.name: Function(each.lineno, _deed(each.body))
        for each in tree.body
        if isinstance(each, ast.FunctionDef)
    }
    bound = {name for each in tree.body for name in _bound(each)}
    lines = [each.lineno for each in tree.body if "down_revision" in _bound(each)]
    other = {name: Function(1, "works") for name in bound}
    return Layout(
        bool((ast.get_docstring(tree) or "").strip()),
        lines[0] if lines else 1,
        functions.get("upgrade", other.get("upgrade", Function())),
        functions.get("downgrade", other.get("downgrade", Function())),
    )


def _deed(body: list[ast.stmt]) -> Deed:
    """Tell what a function's statements do. A docstring, `pass` and `return` are nothing."""
    for each in body:
        if isinstance(each, ast.Raise):
            return "raises"
        is_nothing = isinstance(each, ast.Pass) or (
            isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
        )
        if isinstance(each, ast.Return) and (
            each.value is None or isinstance(each.value, ast.Constant)
        ):
            return "empty"
        if not is_nothing:
            return "works"
    return "empty"


def _bound(statement: ast.stmt) -> list[str]:
    """Return the names that a statement of the module binds, but for functions."""
    match statement:
        case ast.Assign(targets=targets):
            return [each.id for each in targets if isinstance(each, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.ImportFrom(names=names) | ast.Import(names=names):
            return [each.asname or each.name for each in names]
    return []

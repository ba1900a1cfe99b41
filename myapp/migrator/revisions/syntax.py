"""The facts of a revision file of any shape, from its syntax tree.

Slower than `text`, and as certain: what could set the four variables in a way that this doesn't
follow is a doubt. Only code at module level sets them, by name or by reflection. The body of a
class or a function has names of its own.
"""

import ast
import warnings
from collections.abc import Iterator
from itertools import chain

from .facts import VARIABLES, Doubt, RevisionFile, facts, id_in_file_name
from .text import FIXED, REFLECTION, docstring

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Value = str | tuple[str, ...] | None


class _Unclear(Exception):
    """Only running the file can tell."""


def read_syntax(path: str, source: bytes) -> RevisionFile | Doubt:
    """Return the facts of a file, or why they can't be told."""
    try:
        with warnings.catch_warnings():
            # Python tells of them when the file runs.
            warnings.simplefilter("ignore")
            module = ast.parse(source)
        values = _values(module)
        _refuse_reflection(module)
    except (_Unclear, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Doubt(path, str(error))
    values.setdefault("revision", id_in_file_name(path))
    if "down_revision" not in values:
        return Doubt(path, "it has no `down_revision`")
    return facts(
        path,
        values["revision"],
        values["down_revision"],
        values.get("depends_on"),
        values.get("branch_labels"),
        docstring(ast.get_docstring(module, clean=False) or ""),
    )


def _values(module: ast.Module) -> dict[str, _Value]:
    values: dict[str, _Value] = {}
    for statement in module.body:
        pairs, rest = _parted(statement)
        for name, value in pairs:
            if name in values:
                raise _Unclear(f"`{name}` is set twice")
            values[name] = _literal(name, value)
        for node in chain.from_iterable(map(_at_module_level, rest)):
            _refuse_binding(node)
    for node in ast.walk(module):
        if isinstance(node, ast.Global) and not FIXED.isdisjoint(node.names):
            raise _Unclear("a function or a class sets a variable of the file")
    return values


def _parted(statement: ast.stmt) -> tuple[list[tuple[str, ast.expr]], list[ast.AST]]:
    """Return the variables that a statement sets, with their values, and its other parts."""
    match statement:
        case ast.Assign(targets, value):
            pairs = [pair for target in targets for pair in _pairs(target, value)]
            mine: list[tuple[str, ast.expr]] = []
            others: list[ast.AST] = []
            for part, its_value in pairs:
                if isinstance(part, ast.Name) and part.id in VARIABLES:
                    mine.append((part.id, its_value))
                else:
                    others.extend([part, its_value])
            return mine, others
        case ast.AnnAssign(ast.Name(name), annotation, value) if name in VARIABLES:
            # Without a value, it sets nothing.
            return [(name, value)] if value else [], [annotation]
        case _:
            return [], [statement]


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Return what is set to what by an assignment: `a, b = 1, 2` are two."""
    match target, value:
        case ast.Tuple(targets) | ast.List(targets), ast.Tuple(values) | ast.List(values):
            if len(targets) == len(values) and not _is_starred([*targets, *values]):
                return [p for pair in zip(targets, values, strict=True) for p in _pairs(*pair)]
    return [(target, value)]


def _is_starred(items: list[ast.expr]) -> bool:
    return any(isinstance(item, ast.Starred) for item in items)


def _literal(name: str, value: ast.expr) -> _Value:
    match value:
        case ast.Constant(str() | None as text):
            return text
        case ast.Tuple(items) | ast.List(items):
            names = [item.value for item in items if isinstance(item, ast.Constant)]
            texts = tuple(item for item in names if isinstance(item, str))
            if len(texts) == len(items):
                return texts
    raise _Unclear(f"`{name}` is not literal")


def _at_module_level(code: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of `code` that may bind names of the module."""
    todo = [code]
    while todo:
        node = todo.pop()
        yield node
        has_names_of_its_own = isinstance(node, _Function | ast.ClassDef)
        for field, value in ast.iter_fields(node):
            if field == "body" and has_names_of_its_own:
                continue
            children = value if isinstance(value, list) else [value]
            todo.extend(child for child in children if isinstance(child, ast.AST))


def _refuse_binding(node: ast.AST) -> None:
    for name in _bound_in(node):
        if name in FIXED:
            raise _Unclear(f"`{name}` may be set in another way")
        if name == "*":
            raise _Unclear("a star import may set anything")


def _bound_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(name, ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
        case ast.alias(name, asname):
            yield asname or name.partition(".")[0]


def _refuse_reflection(module: ast.Module) -> None:
    for node in _reached(module):
        match node:
            case ast.Name(name) | ast.Attribute(attr=name) | ast.alias(name):
                if not REFLECTION.isdisjoint(name.split(".")):
                    raise _Unclear(f"`{name}` may reach any variable")


def _reached(module: ast.Module) -> Iterator[ast.AST]:
    """Yield all that may run when the file does: functions only where something names them."""
    functions: dict[str, list[ast.AST]] = {}
    todo: list[ast.AST] = []
    for statement in module.body:
        if isinstance(statement, _Function) and not statement.decorator_list:
            functions.setdefault(statement.name, []).append(statement)
            # Defaults and annotations are evaluated at once.
            todo.extend(filter(None, [statement.args, statement.returns]))
        else:
            todo.append(statement)
    for code in todo:  # which grows
        for node in ast.walk(code):
            yield node
            if isinstance(node, ast.Name):
                todo.extend(functions.pop(node.id, []))

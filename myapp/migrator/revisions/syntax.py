"""The facts of a revision file of any shape, from its syntax tree.

Slower than `text`, and as certain: what could change the four variables in a way that
this doesn't follow is a doubt.
"""

import ast
import builtins
import warnings
from collections.abc import Iterator

from . import imports
from .facts import VARIABLES, Doubt, RevisionFile, facts
from .text import docstring

#: With any of these in it, a file may reach its own variables by another way.
_REFLECTION = frozenset(
    {"globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "getattr", "modules"}
    | {"import_module", "runpy", "_getframe", "currentframe", "f_globals", "f_locals", "f_back"}
    | {"gi_frame", "tb_frame", "builtins", "__import__", "__dict__", "__globals__", "__main__"}
    | {"__builtins__"}
)


class _Unclear(Exception):
    """Only running the file can tell."""


def read_syntax(path: str, source: bytes) -> RevisionFile | Doubt:
    """Return the facts of a file that Python can compile, or why they can't be told."""
    try:
        with warnings.catch_warnings():
            # Whoever compiles the file tells of them.
            warnings.simplefilter("ignore")
            module = ast.parse(source)
        reader = _Reader()
        for statement in module.body:
            reader.read(statement)
        if not reader.inert:
            # What runs may call any function.
            reader.refuse_reflection(module)
    except (_Unclear, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Doubt(path, str(error))
    values = reader.values
    if not {"revision", "down_revision"} <= values.keys():
        return Doubt(path, "a variable is missing")
    return facts(
        path,
        values["revision"],
        values["down_revision"],
        values.get("depends_on"),
        values.get("branch_labels"),
        docstring(ast.get_docstring(module, clean=False) or ""),
        reader.inert,
    )


class _Reader:
    def __init__(self) -> None:
        self.values: dict[str, str | tuple[str, ...] | None] = {}
        self.inert = True
        self._imported: dict[str, str] = {}
        self._lazy_annotations = False

    def read(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Expr(ast.Constant()) | ast.Pass():
                pass
            case ast.Assign([ast.Name(name)], value) if name in VARIABLES:
                self._assign(name, value)
            case ast.AnnAssign(ast.Name(name), annotation, value) if name in VARIABLES:
                self._annotate(annotation)
                if value is None:
                    raise _Unclear(f"`{name}` has no value")
                self._assign(name, value)
            case ast.Assign([ast.Name(name)], value) if _is_literal(value):
                self._bind(name)
            case ast.AnnAssign(ast.Name(name), annotation, value) if value and _is_literal(value):
                self._annotate(annotation)
                self._bind(name)
            case ast.Import() | ast.ImportFrom():
                self._import(statement)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                self._bind(name)
                if not self._is_plain(statement):
                    self._run(statement)
                for node in ast.walk(statement):
                    if isinstance(node, ast.Global) and not VARIABLES.isdisjoint(node.names):
                        raise _Unclear("a function sets a variable of the file")
            case _:
                self._run(statement)

    def refuse_reflection(self, module: ast.Module) -> None:
        for node in ast.walk(module):
            for name in _names_in(node):
                if name in _REFLECTION:
                    raise _Unclear(f"`{name}` may reach any variable")

    def _assign(self, name: str, value: ast.expr) -> None:
        if name in self.values:
            raise _Unclear(f"`{name}` is set twice")
        match value:
            case ast.Constant(str() | None as text):
                self.values[name] = text
            case ast.Tuple(items) | ast.List(items):
                names = [item.value for item in items if isinstance(item, ast.Constant)]
                texts = tuple(item for item in names if isinstance(item, str))
                if len(texts) != len(items):
                    raise _Unclear(f"`{name}` is not literal")
                self.values[name] = texts
            case _:
                raise _Unclear(f"`{name}` is not literal")

    def _annotate(self, annotation: ast.expr) -> None:
        if (
            not self._lazy_annotations
            and not _is_builtin(annotation)
            and not imports.annotation_resolves(ast.unparse(annotation), self._imported)
        ):
            self._run(annotation)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            name = alias.name
            if name == "*":
                raise _Unclear("a star import may bind anything")
            if isinstance(statement, ast.ImportFrom):
                module = statement.module or ""
                full = f"{module}.{name}"
                known = not statement.level and imports.imports(module, name)
                self._lazy_annotations |= full == "__future__.annotations"
            else:
                full = name
                known = imports.imports_module(name)
            if not known:
                raise _Unclear(f"`{full}` may not be there to import")
            bound = alias.asname or name.partition(".")[0]
            self._bind(bound)
            self._imported[bound] = full

    def _bind(self, name: str) -> None:
        if not imports.may_be_bound(name) or hasattr(builtins, name):
            raise _Unclear(f"`{name}` is bound to something else")
        self._imported.pop(name, None)

    def _is_plain(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        arguments = function.args
        defaults = [*arguments.defaults, *(each for each in arguments.kw_defaults if each)]
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every.extend(each for each in (arguments.vararg, arguments.kwarg) if each)
        annotations = [*(each.annotation for each in every), function.returns]
        return (
            not function.decorator_list
            and not getattr(function, "type_params", None)
            and all(map(_is_literal, defaults))
            and (self._lazy_annotations or all(map(_is_builtin, annotations)))
        )

    def _run(self, code: ast.AST) -> None:
        """Take in code that runs when the file does: it may not touch the variables."""
        self.inert = False
        for node in ast.walk(code):
            for name in _bound_in(node):
                self._bind(name)


def _is_literal(value: ast.expr) -> bool:
    match value:
        case ast.Constant():
            return True
        case ast.Tuple(items) | ast.List(items):
            return all(map(_is_literal, items))
        case ast.Dict(keys, values):
            return all(isinstance(key, ast.Constant) for key in keys) and all(
                map(_is_literal, values)
            )
        case _:
            return False


def _is_builtin(annotation: ast.expr | None) -> bool:
    match annotation:
        case None | ast.Constant():
            return True
        case ast.Name(name):
            return isinstance(getattr(builtins, name, None), type)
        case _:
            return False


def _names_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name) | ast.alias(name):
            yield from name.split(".")


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
            # A star is no name that may be bound.
            yield "__" if name == "*" else asname or name.partition(".")[0]
        case ast.Global(names) | ast.Nonlocal(names):
            yield from names

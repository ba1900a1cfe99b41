"""Whether an `env.py` that has run no migration had none to run: its tenants are yet to come.

Another one is broken: it ran none because nobody called `context.run_migrations()`.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

_RUN = "run_migrations"
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def loops_over_databases(env_py: Path) -> bool:
    """Tell whether the code of `env_py` comes to a loop in which it runs the migrations.

    A function that nobody calls doesn't count. False where the code can't be read.
    """
    try:
        tree = ast.parse(env_py.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)}
    for node in _reached(tree.body, functions):
        if _is_loop(node):
            within = _reached(ast.iter_child_nodes(node), functions)
            if any(_name(each) == _RUN for each in within):
                return True
    return False


def _reached(
    nodes: Iterable[ast.AST], functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef]
) -> list[ast.AST]:
    """Return `nodes`, all within them, and the bodies of the functions that they name."""
    found, todo, entered = [], [*nodes], set()
    while todo:
        node = todo.pop()
        if isinstance(node, _FUNCTIONS):
            continue  # only if it is named
        found.append(node)
        todo += ast.iter_child_nodes(node)
        name = _name(node)
        if name in functions and name not in entered:
            entered.add(name)
            todo += functions[name].body
    return found


def _is_loop(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return _name(node.func) == "map"  # of Python, or of a pool of threads
    return isinstance(node, _LOOPS + _COMPREHENSIONS)


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None

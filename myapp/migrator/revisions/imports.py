"""Whether the imports and annotations of a revision file will do when it is run."""

import re
import sys
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec

from .facts import VARIABLES

#: What a value's annotation may name besides what is imported for it.
_BUILTINS = frozenset({"str", "list", "tuple", "None"})
_GENERICS = frozenset({"Sequence", "Iterable", "Collection", "List", "Tuple"})
_UNIONS = frozenset({"Union", "Optional"})

_STATEMENT = re.compile(
    r"import[ ](?P<modules>[\w., ]+)"
    r"|from[ ](?P<module>[\w.]+)[ ]import[ ](?:\((?P<many>[\w,\s]*)\)|(?P<names>[\w, ]+))",
    re.ASCII,
)
_ALIAS = re.compile(r"([\w.]+)(?: +as +(\w+))?", re.ASCII)
_TERM = r"(?:str|(?:{generic})\[str(?:, ?\.\.\.)?\])"
_TERM = _TERM.format(generic="|".join(sorted(_GENERICS | {"list", "tuple"})))
_ANNOTATION = re.compile(
    rf"{_TERM}(?: ?\| ?(?:{_TERM}|None))*|Union\[{_TERM}(?:, ?(?:{_TERM}|None))*\]"
    rf"|Optional\[{_TERM}\]",
    re.ASCII,
)


@cache
def bindings(block: str) -> dict[str, str] | None:
    """Return the names that a block of import lines binds, each with its full name.

    None says that one of them might fail, or bind something unknown. What a module does when it is
    imported isn't looked at.
    """
    bound: dict[str, str] = {}
    for statement in _STATEMENT.finditer(re.sub("#.*", "", block)):
        module = statement["module"]
        listed = statement["modules"] or statement["many"] or statement["names"]
        for each in filter(None, map(str.strip, listed.split(","))):
            alias = _ALIAS.fullmatch(each)
            if alias is None:
                return None
            name = f"{module}.{alias[1]}" if module else alias[1]
            if not (_has(module, alias[1]) if module else _find(name)):
                return None
            bound[alias[2] or alias[1].partition(".")[0]] = name
    return bound if all(map(may_be_bound, bound)) else None


def imports(module: str, name: str) -> bool:
    """Tell whether `from module import name` will do."""
    return _has(module, name)


def imports_module(module: str) -> bool:
    """Tell whether `import module` will do."""
    return _find(module) is not None


def may_be_bound(name: str) -> bool:
    """Tell whether a file may give another meaning to `name` without changing its own values."""
    return name not in VARIABLES and name not in _BUILTINS and not name.startswith("__")


def annotation_holds(annotation: str, block: str) -> bool:
    """Tell whether Python can evaluate an annotation of a value, after the imports in `block`."""
    bound = bindings(block)
    return bound is not None and annotation_resolves(annotation, bound)


def annotation_resolves(annotation: str, bound: dict[str, str]) -> bool:
    """Tell whether Python can evaluate an annotation of a value, `bound` being imported."""
    if annotation == "str":
        return True
    if not _ANNOTATION.fullmatch(annotation):
        return False
    return all(
        bound.get(name) in (f"typing.{name}", f"collections.abc.{name}")
        for name in re.findall(r"\w+", annotation)
        if name not in _BUILTINS
    )


@cache
def _has(module: str, name: str) -> bool:
    if module == "__future__":
        return name == "annotations"
    spec = _find(module)
    if spec is None:
        return False
    if module in sys.modules and hasattr(sys.modules[module], name):
        return True
    if spec.submodule_search_locations and _find(f"{module}.{name}"):
        return True
    if spec.origin is None or not spec.origin.endswith(".py"):
        return False
    try:
        with open(spec.origin, "rb") as file:
            return re.search(rb"\b%s\b" % name.encode(), file.read()) is not None
    except OSError:
        return False


@cache
def _find(module: str) -> ModuleSpec | None:
    parent, _, _ = module.rpartition(".")
    try:
        if not parent:
            return find_spec(module) if module.isidentifier() else None
        package = _find(parent)
        if module in sys.modules:
            return sys.modules[module].__spec__
        # `find_spec` would import the parent.
        path = package.submodule_search_locations if package else None
        return PathFinder.find_spec(module, path) if path is not None else None
    except (ImportError, ValueError):
        return None

"""Find an application's models from its .ini file and its own files, without importing it."""

import ast
import configparser
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..settings.settings import Settings

#: Where models have their base, the cookiecutter's place first.
_MODULES = ("models.meta", "models.base", "models", "meta", "db", "database", "orm")


class Models(NamedTuple):
    """What the .ini file has to name. `folder` is where to import from, if Python doesn't know."""

    target_metadata: str
    naming_convention: str | None = None
    folder: Path | None = None


def find_models(settings: Settings) -> Models | None:
    """Return where the application has its models; None if its package isn't known.

    Where `alembic.target_metadata` is set, it is known by that.
    """
    given = settings.alembic.get("target_metadata", "").replace(",", " ").split()
    module = given[0].partition(":")[0] if given else _factory(settings)
    if module is None or not all(part.isidentifier() for part in module.split(".")):
        return None
    place, package, folder = _place(module, settings.path.parent)
    modules = (module.removeprefix(f"{package}."), *_MODULES) if given else _MODULES
    for name in modules:
        base, convention = _names(place, name) if place else (None, None)
        if base:
            named = f"{package}.{name}:{convention}" if convention else None
            return Models(f"{package}.{name}:{base}", named, folder)
    return Models(f"{package}.models:Base.metadata", folder=folder)


def _factory(settings: Settings) -> str | None:
    """Return the module that `use = egg:...` or its like leads to."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read(settings.path, encoding="utf-8")
    section = settings.section.partition("]")[0].removeprefix("[")
    used = parser.get(section, "use", fallback=None)
    used = used or f"call:{parser.get(section, 'paste.app_factory', fallback='')}"
    scheme, _, spec = used.partition(":")
    if scheme.strip() == "call":
        return spec.partition(":")[0].strip()
    if scheme.strip() != "egg":
        return None
    distribution, _, entry = spec.strip().partition("#")
    with suppress(importlib.metadata.PackageNotFoundError, ValueError):
        factories = importlib.metadata.distribution(distribution).entry_points.select(
            group="paste.app_factory", name=entry or "main"
        )
        return next((each.module for each in factories), None)
    return distribution.replace("-", "_")


def _place(module: str, here: Path) -> tuple[Path | None, str, Path | None]:
    """Return the folder and the name of the package that a module is or is in.

    The third is the folder to import from, if Python doesn't find the package.
    """
    package, *inner = module.split(".")
    spec = None
    with suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(package)  # it imports nothing, as there is no parent
    known = [Path(each) for each in (spec and spec.submodule_search_locations) or ()]
    beside = [folder / package for folder in (here, here / "src") if (folder / package).is_dir()]
    if not known and not beside:
        return None, package, None
    place = (known or beside)[0]
    folder = None if known else place.parent
    # Of `shop.wsgi` it is `shop`, of `acme.shop`, a package in another, `acme.shop`.
    for part in inner:
        if part == "models" or not (place / part).is_dir():
            break
        place, package = place / part, f"{package}.{part}"
    return place, package, folder


def _names(place: Path, name: str) -> tuple[str | None, str | None]:
    """Return the names of the metadata and of the naming convention in a module."""
    path = place.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        with suppress(OSError, SyntaxError, ValueError):
            tree = ast.parse(file.read_bytes())
            bases = {*_bases(tree)}
            if bases:
                base = min(bases, key=lambda each: (each != "Base.metadata", each))
                return base, _convention(tree, base)
    return None, None


def _bases(tree: ast.Module) -> Iterator[str]:
    """Yield what has the metadata: a declarative base, or the metadata itself."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            if any(_called(base).startswith("DeclarativeBase") for base in node.bases):
                yield f"{node.name}.metadata"
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            kind = _called(node.value.func)
            for name in _targets(node):
                if kind == "declarative_base":
                    yield f"{name}.metadata"
                elif kind == "MetaData":
                    yield name


def _convention(tree: ast.Module, base: str) -> str | None:
    """Return the name of what a MetaData gets as its convention; without a name, the metadata's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "naming_convention":
            return node.value.id if isinstance(node.value, ast.Name) else base
    return None


def _called(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def _targets(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    yield from (target.id for target in targets if isinstance(target, ast.Name))

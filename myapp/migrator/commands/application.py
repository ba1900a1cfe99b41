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
    """Return where the application has its models; None if its package isn't known."""
    package = _package(settings)
    if package is None:
        return None
    place, folder = _place(package, settings.path.parent)
    for name in _MODULES:
        base, convention = _names(place, name) if place else (None, None)
        if base:
            module = f"{package}.{name}"
            named = f"{module}:{convention}" if convention else None
            return Models(f"{module}:{base}", named, folder)
    return Models(f"{package}.models:Base.metadata", folder=folder)


def _package(settings: Settings) -> str | None:
    """Return the package that `use = egg:...` or its like leads to."""
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.read(settings.path, encoding="utf-8")
    section = settings.section.partition("]")[0].removeprefix("[")
    used = parser.get(section, "use", fallback=None)
    used = used or f"call:{parser.get(section, 'paste.app_factory', fallback='')}"
    scheme, _, spec = used.partition(":")
    name = spec.strip()
    if scheme.strip() == "egg":
        distribution, _, entry = name.partition("#")
        name = distribution.replace("-", "_")
        with suppress(importlib.metadata.PackageNotFoundError):
            found = importlib.metadata.distribution(distribution).entry_points.select(
                group="paste.app_factory", name=entry or "main"
            )
            name = next((each.module for each in found), name)
    elif scheme.strip() != "call":
        return None
    package = name.partition(":")[0].partition(".")[0]
    return package if package.isidentifier() else None


def _place(package: str, here: Path) -> tuple[Path | None, Path | None]:
    """Return the package's folder, and the one to import from if Python doesn't find it there."""
    # This imports nothing, as the package has no parent.
    spec = None
    with suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(package)
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))), None
    for folder in (here, here / "src"):
        if (folder / package).is_dir():
            return folder / package, folder
    return None, None


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

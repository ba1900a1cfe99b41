"""Find out which revision file keeps a history from loading, and why."""

import ast
import re
import tokenize
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import coerce_resource_to_filename

from ..base.errors import HistoryError, MigrateError
from ..database.failures import described
from ..revisions.graph import RESERVED

_NAMES = ("revision", "down_revision", "depends_on", "branch_labels")
# Alembic 0.1 had the revision id in the file's name alone; Alembic still reads such files.
_LEGACY_FILE_NAME = re.compile(r"[a-f0-9]+\.py")


@dataclass(frozen=True)
class _File:
    path: Path
    revision: str
    parents: tuple[str, ...]
    labels: tuple[str, ...]


def diagnose(script: ScriptDirectory, error: BaseException) -> MigrateError:
    """Return the error to show for `error`, which was raised while `script`'s files were loaded."""
    try:
        files = [file for path in revision_files(script) if (file := _read(path))]
    except HistoryError as found:
        return found
    return (
        _raised_in_a_file(script, error)
        or _reserved(files)
        or _duplicate(files)
        or _duplicate_label(files)
        or _missing_parent(files)
        or _cycle(files)
        or _not_understood(files, error)
    )


def revision_files(script: ScriptDirectory) -> Iterator[Path]:
    """Yield the files in which `script` looks for revisions."""
    folders = [coerce_resource_to_filename(str(path)) for path in script.version_locations]
    for folder in folders or [Path(script.dir) / "versions"]:
        found = folder.rglob("*.py") if script.recursive_version_locations else folder.glob("*.py")
        yield from sorted(path for path in found if not path.name.startswith((".#", "__init__")))


def _read(path: Path) -> _File | None:
    try:
        with tokenize.open(path) as source:
            tree = ast.parse(source.read(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise _bad_syntax(str(path), error) from None
    assigned = dict(_assignments(tree))
    if _LEGACY_FILE_NAME.fullmatch(path.name):
        assigned.setdefault("revision", ast.Constant(path.stem))
    names = {name: _names(path, name, assigned.get(name)) for name in _NAMES}
    if "revision" not in assigned or names["revision"] == ():
        raise HistoryError(
            f"Revision file {path} has no `revision`, so it has no place in the history.",
            hint='add `revision = "..."` and `down_revision = "..."`, or take the file away.',
            paths=[str(path)],
        )
    if "down_revision" not in assigned:
        raise HistoryError(
            f"Revision file {path} has no `down_revision`, so it has no place in the history.",
            hint='add `down_revision = "..."`, None for the first revision.',
            paths=[str(path)],
        )
    if names["revision"] is None:
        return None
    parents = (names["down_revision"] or ()) + (names["depends_on"] or ())
    return _File(path, names["revision"][0], parents, names["branch_labels"] or ())


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _names(path: Path, name: str, node: ast.expr | None) -> tuple[str, ...] | None:
    """Return the names in a literal, None if it isn't one and only running the file can tell."""
    try:
        value = ast.literal_eval(node) if node else None
    except ValueError:
        return None
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) or name == "revision" else value
    if isinstance(names, tuple | list | set) and all(isinstance(each, str) for each in names):
        return tuple(names)
    raise HistoryError(
        f"Revision file {path} has `{name} = {value!r}`, and a revision's name is a string.",
        hint="put it into quotes.",
        paths=[str(path)],
    )


def _raised_in_a_file(script: ScriptDirectory, error: BaseException) -> HistoryError | None:
    paths = {str(path.resolve()): path for path in revision_files(script)}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if path := paths.get(str(Path(frame.filename).resolve())):
            return not_loaded(str(path), error)
    return None


def not_loaded(path: str, error: BaseException) -> HistoryError:
    """Return the error of a revision file whose import raised `error`."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return _bad_syntax(path, error)
    real = Path(path).resolve()
    frames = traceback.extract_tb(error.__traceback__)
    lines = (frame.lineno for frame in reversed(frames) if Path(frame.filename).resolve() == real)
    line = next(lines, None)
    return HistoryError(
        f"Revision file {path} can't be loaded:"
        f"{f' line {line} raised' if line else ''} {described(error)}.",
        hint="install it in this environment, or fix that line."
        if isinstance(error, ImportError)
        else "fix that line, or take the file away.",
        paths=[path],
        line=line,
    )


def _bad_syntax(path: str, error: OSError | SyntaxError | ValueError) -> HistoryError:
    # If the text is not UTF-8, or has a NUL in it, Python's syntax error has no line.
    line = getattr(error, "lineno", None)
    reason = getattr(error, "msg", None) or getattr(error, "strerror", None) or str(error)
    if reason.startswith("invalid or missing encoding"):
        reason = "it is not UTF-8"
    return HistoryError(
        f"Revision file {path} has a syntax error in line {line}: {reason}."
        if line
        else f"Revision file {path} can't be read: {reason}.",
        hint="fix that line, or take the file away."
        if line
        else "make it readable UTF-8 text, or take it away.",
        paths=[path],
        line=line,
    )


def _reserved(files: list[_File]) -> HistoryError | None:
    for file in files:
        for name in RESERVED.intersection((file.revision, *file.labels)):
            return HistoryError(
                f"Revision file {file.path} is called `{name}`, which has a meaning of its own.",
                hint="give it another `revision` or branch label.",
                paths=[str(file.path)],
            )
    return None


def _duplicate(files: list[_File]) -> HistoryError | None:
    by_revision = defaultdict(list)
    for file in files:
        by_revision[file.revision].append(file.path)
    for revision, paths in by_revision.items():
        if len(paths) > 1:
            return HistoryError(
                f"{len(paths)} files have the revision {revision}: {', '.join(map(str, paths))}.",
                hint="give one of them another `revision`, or take it away.",
                paths=[str(path) for path in paths],
            )
    return None


def _duplicate_label(files: list[_File]) -> HistoryError | None:
    owners: dict[str, _File] = {}
    for file in files:
        for label in file.labels:
            owner = owners.setdefault(label, file)
            if owner is not file:
                return HistoryError(
                    f"2 files have the branch label {label}: {owner.path}, {file.path}.",
                    hint="give one of them another label.",
                    paths=[str(owner.path), str(file.path)],
                )
    return None


def _not_understood(files: list[_File], error: BaseException) -> HistoryError:
    said = described(error)
    named = [str(file.path) for file in files if f"'{file.revision}'" in said]
    return HistoryError(
        f"{f'Revision file {named[0]}' if named else 'A revision file'} can't be loaded: {said}.",
        hint="fix it; `--traceback` before CONFIG_URI shows where it failed.",
        paths=named,
    )


def _missing_parent(files: list[_File]) -> HistoryError | None:
    known = {file.revision for file in files}
    labels = {label for file in files for label in file.labels}
    for file in files:
        for parent in file.parents:
            if parent not in known | labels:
                return HistoryError(
                    f"Revision file {file.path} follows revision {parent}, which no file has.",
                    hint=f"bring back the file of {parent}, or fix `down_revision` and"
                    " `depends_on` in this one.",
                    paths=[str(file.path)],
                )
    return None


def _cycle(files: list[_File]) -> HistoryError | None:
    by_revision = {file.revision: file for file in files}
    done: set[str] = set()
    for start in by_revision:
        trail = [start]
        todo = [(start, iter(_known_parents(start, by_revision)))]
        while todo:
            revision, parents = todo[-1]
            parent = next((p for p in parents if p not in done), None)
            if parent is None:
                done.add(revision)
                todo.pop()
                trail.pop()
            elif parent in trail:
                return _cycle_error([by_revision[r] for r in trail[trail.index(parent) :]])
            else:
                trail.append(parent)
                todo.append((parent, iter(_known_parents(parent, by_revision))))
    return None


def _known_parents(revision: str, by_revision: dict[str, _File]) -> list[str]:
    return [parent for parent in by_revision[revision].parents if parent in by_revision]


def _cycle_error(files: list[_File]) -> HistoryError:
    steps = " -> ".join([file.revision for file in files] + [files[0].revision])
    return HistoryError(
        f"The revisions follow each other in a circle: {steps}"
        f" (files: {', '.join(str(file.path) for file in files)}).",
        hint="fix `down_revision` or `depends_on` in one of these files.",
        paths=[str(file.path) for file in files],
    )

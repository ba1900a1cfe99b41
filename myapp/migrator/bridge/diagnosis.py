"""Why revision files can't be loaded, or form no history: the file to blame, and what to do."""

import tokenize
import traceback
from collections import defaultdict
from collections.abc import Sequence
from types import ModuleType

from ..base.errors import HistoryError
from ..database.failures import described
from ..revisions.facts import RevisionFile, id_in_file_name
from ..revisions.graph import RESERVED

_VARIABLES = ("revision", "down_revision", "depends_on", "branch_labels")


def not_loaded(path: str, error: BaseException | None) -> HistoryError:
    """Return what to tell of a file that raised `error` when it was to be run."""
    if refused := _not_compiled(path):
        return refused
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__ if error else None)
        if frame.filename == path
    ]
    line = lines[-1] if lines else None
    raised = f"line {line} raised " if line else ""
    return HistoryError(
        f"Revision file {path} can't be loaded: {raised}{described(error or ImportError())}.",
        hint="install it in this environment, or fix that line."
        if isinstance(error, ImportError)
        else "fix that line, or take the file away.",
        paths=[path],
        line=line,
    )


def not_a_revision(path: str, module: ModuleType, error: Exception) -> HistoryError:
    """Return what to tell of a file that ran, and whose variables Alembic refuses with `error`."""
    values = vars(module)
    if values.get("revision", id_in_file_name(path)) is None:
        return HistoryError(
            f"Revision file {path} has no `revision`, so it has no place in the history.",
            hint='add `revision = "..."` and `down_revision = "..."`, or take the file away.',
            paths=[path],
        )
    if "down_revision" not in values:
        return HistoryError(
            f"Revision file {path} has no `down_revision`, so it has no place in the history.",
            hint='add `down_revision = "..."`, None for the first revision.',
            paths=[path],
        )
    for name in _VARIABLES:
        if not _is_named(values.get(name), is_list=name != "revision"):
            return HistoryError(
                f"Revision file {path} has `{name} = {values[name]!r}`, and a revision's name is"
                " a string.",
                hint="put it into quotes.",
                paths=[path],
            )
    return HistoryError(
        f"Revision file {path} can't be loaded: {described(error)}.",
        hint="fix it; `--traceback` before CONFIG_URI shows where it failed.",
        paths=[path],
    )


def no_history(files: Sequence[RevisionFile], error: Exception) -> HistoryError:
    """Return what to tell of files that can be read, and form no history."""
    return (
        _reserved(files)
        or _duplicate(files)
        or _duplicate_label(files)
        or _missing_parent(files)
        or _cycle(files)
        or HistoryError(
            f"The revision files form no history: {error}.",
            hint="fix `down_revision`, `depends_on` or `branch_labels` in one of them.",
        )
    )


def _not_compiled(path: str) -> HistoryError | None:
    if not path.endswith(".py"):
        return None
    try:
        with tokenize.open(path) as source:
            compile(source.read(), path, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError) as error:
        # Python reports text that is not UTF-8, or has a NUL in it, as a syntax error in no line.
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
    return None


def _is_named(value: object, *, is_list: bool) -> bool:
    if is_list and isinstance(value, tuple | list | set | frozenset):
        return all(isinstance(each, str) for each in value)
    return value is None or isinstance(value, str)


def _reserved(files: Sequence[RevisionFile]) -> HistoryError | None:
    for file in files:
        for name in RESERVED.intersection((file.revision, *file.branch_labels)):
            return HistoryError(
                f"Revision file {file.path} is called `{name}`, which has a meaning of its own.",
                hint="give it another `revision` or branch label.",
                paths=[file.path],
            )
    return None


def _duplicate(files: Sequence[RevisionFile]) -> HistoryError | None:
    by_revision = defaultdict(list)
    for file in files:
        by_revision[file.revision].append(file.path)
    for revision, paths in by_revision.items():
        if len(paths) > 1:
            return HistoryError(
                f"{len(paths)} files have the revision {revision}: {', '.join(paths)}.",
                hint="give one of them another `revision`, or take it away.",
                paths=paths,
            )
    return None


def _duplicate_label(files: Sequence[RevisionFile]) -> HistoryError | None:
    owners: dict[str, RevisionFile] = {}
    for file in files:
        for label in file.branch_labels:
            owner = owners.setdefault(label, file)
            if owner is not file:
                return HistoryError(
                    f"2 files have the branch label {label}: {owner.path}, {file.path}.",
                    hint="give one of them another label.",
                    paths=[owner.path, file.path],
                )
    return None


def _missing_parent(files: Sequence[RevisionFile]) -> HistoryError | None:
    known = {file.revision for file in files}
    labels = {label for file in files for label in file.branch_labels}
    for file in files:
        for parent in (*file.down_revision, *file.depends_on):
            if parent not in known | labels:
                return HistoryError(
                    f"Revision file {file.path} follows revision {parent}, which no file has.",
                    hint=f"bring back the file of {parent}, or fix `down_revision` and"
                    " `depends_on` in this one.",
                    paths=[file.path],
                )
    return None


def _cycle(files: Sequence[RevisionFile]) -> HistoryError | None:
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


def _known_parents(revision: str, by_revision: dict[str, RevisionFile]) -> list[str]:
    file = by_revision[revision]
    return [each for each in (*file.down_revision, *file.depends_on) if each in by_revision]


def _cycle_error(files: Sequence[RevisionFile]) -> HistoryError:
    steps = " -> ".join([file.revision for file in files] + [files[0].revision])
    return HistoryError(
        f"The revisions follow each other in a circle: {steps}"
        f" (files: {', '.join(file.path for file in files)}).",
        hint="fix `down_revision` or `depends_on` in one of these files.",
        paths=[file.path for file in files],
    )

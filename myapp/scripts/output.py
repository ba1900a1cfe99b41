"""Write a result as text for people."""

from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import Any

import click

from ..migrator.base.legible import legible
from ..migrator.base.repairs import Repair, RowRepair
from ..migrator.base.results import (
    Agreement,
    Branch,
    CurrentRevisions,
    HistoryReport,
    NewRevisions,
    OfDatabases,
    Revision,
    Run,
    Scaffold,
    Stamp,
    State,
    Status,
    name_of,
    short_name,
)
from ..migrator.database.odd_rows import shown
from ..migrator.revisions.answers import NO_DATABASE
from .durations import format_seconds
from .revision_text import long, short, with_parents
from .wrapping import cut, width, wrapped

#: What is told of an answer that has nothing in it.
EMPTY = {
    "branches": "No revision is followed by several others.",
    "heads": "There is no revision yet.",
    "history": "There is no revision to list.",
}
EMPTY_SQL = "Nothing to do: there is no SQL to write."
_COLORS = {"pending": "yellow", "current": "green", "applied": "bright_black"}


def shown_state(state: State) -> str:
    """Return the state of a revision, coloured and as wide as the longest one."""
    return click.style(f"{state:8}", fg=_COLORS[state])


def as_text(result: object, *, verbose: bool, quiet: bool, columns: int | None = None) -> str:
    """Return a result as text, in lines of up to `columns`. With `quiet`, it may be empty."""
    if quiet and isinstance(result, Run | Stamp | Agreement | Repair):
        return ""
    # Lines of a file and SQL are to be copied.
    if isinstance(result, Scaffold | NewRevisions) or getattr(result, "is_copied", False):
        columns = None
    if columns and getattr(result, "is_drawn", False):
        return "\n".join(_cut(line, columns) for line in _lines(result, verbose))
    return "\n".join(_shown(line, columns) for line in _lines(result, verbose))


def _shown(line: "str | tuple[str, str]", columns: int | None) -> str:
    """Return a line that is safe for a terminal. The first of a pair is our own, and coloured."""
    style, text = ("", line) if isinstance(line, str) else line
    return wrapped(style + legible(text), columns, width(style) or 4)


def _cut(line: "str | tuple[str, str]", columns: int) -> str:
    """Return a line as `_shown` does, and no more of it than one row: the lines below go on."""
    style, text = ("", line) if isinstance(line, str) else line
    return style + cut(legible(text), columns - width(style))


@singledispatch
def _lines(result: Any, verbose: bool) -> Iterable["str | tuple[str, str]"]:
    lines: list[str] = result.lines()  # a kind of which few runs know
    return lines


@_lines.register
def _(result: Run, verbose: bool) -> Iterable[str]:
    if result.steps:
        done = "Upgraded" if result.direction == "upgrade" else "Downgraded"
        seconds = format_seconds(sum(step.seconds or 0 for step in result.steps))
        return _where(f"{done} {_count(len(result.steps), 'revision')} in {seconds}", result)
    if not result.is_past:
        return _where("Nothing to do", result)
    if len(result.databases) == 1:
        return [
            f"Nothing to do: {_name(result)} is already past {result.target}; it is at"
            f" {result.standing}. To go back, use `downgrade`."
        ]
    past = f"Nothing to do: the databases are already past {result.target}. To go back, use"
    return _where(f"{past} `downgrade`", result)


@_lines.register
def _(result: Stamp, verbose: bool) -> Iterable[str]:
    if not result.databases:
        return _where("Nothing to do", result)
    if not result.stood:
        return _where("The version table says", result)
    before = {status.table.place: status for status in result.stood}
    if len(result.databases) == 1:
        return [f"Stamped {_name(result)}{_way(before, result.databases[0])}."]
    each = zip(_names(result.databases), result.databases, strict=True)
    return ["Stamped:", *(f"  {name}{_way(before, status)}." for name, status in each)]


def _way(before: dict[Any, Status], status: Status) -> str:
    """Return from where to where a stamp has moved a database."""
    stood = before[status.table.place]
    if stood.rows == status.rows:
        return f", which was at {status.standing} before"
    return f" from {stood.standing} to {status.standing}"


@_lines.register
def _(result: CurrentRevisions, verbose: bool) -> Iterable[str]:
    revisions = {revision.revision: revision for revision in result.current}
    names = _names(result.databases)
    for status, name in zip(result.databases, names, strict=True):
        found = [revisions[id_] for id_ in status.current]
        pending = f"{_count(len(status.pending), 'revision')} pending" if status.pending else ""
        # `wait --allow-ahead` accepts revisions of newer code, which this code can't describe.
        unknown = [] if found else [", ".join(status.rows) or "base (no revision)"]
        if verbose:
            yield f"Current revision(s) for {name}:"
            yield from [*map(long, found), *unknown]
            yield from [f"{pending}.\n"] if pending and len(names) > 1 else []
        elif len(names) == 1:
            yield from [*map(short, found), *unknown]
        else:
            shown = "; ".join([*map(short, found), *unknown])
            yield f"{name}: {shown}{f' ({pending})' if pending else ''}"
    if not names:
        yield NO_DATABASE


@_lines.register
def _(result: HistoryReport, verbose: bool) -> Iterable["str | tuple[str, str]"]:
    for marked in result.revisions:
        text = long(marked.revision) if verbose else with_parents(marked.revision)
        if marked.state is None:
            yield text
        elif verbose:
            yield f"State: {marked.state}\n{text}"
        else:
            yield shown_state(marked.state), text


@_lines.register
def _(result: Branch, verbose: bool) -> Iterable[str]:
    yield long(result.revision) if verbose else short(result.revision)
    indent = " " * len(result.revision.revision)
    for revision in result.next_revisions:
        yield f"{indent} -> {short(revision)}"


@_lines.register
def _(result: Revision, verbose: bool) -> Iterable[str]:
    yield long(result) if verbose else short(result)


@_lines.register(tuple)
def _(result: tuple[Any, ...], verbose: bool) -> Iterable["str | tuple[str, str]"]:
    for each in result:
        yield from _lines(each, verbose)


@_lines.register
def _(result: Agreement, verbose: bool) -> Iterable[str]:
    return ["Models and database agree."]


@_lines.register
def _(result: NewRevisions, verbose: bool) -> Iterable["str | tuple[str, str]"]:
    for operation in result.operations:
        found = f"Found: {operation}"
        is_loss = operation in result.losses
        yield (click.style(legible(found), fg="red"), "") if is_loss else found
    if result.sql:
        yield result.sql.rstrip()
    for revision in result.revisions:
        yield f"{'-- ' if result.sql else ''}Wrote {revision.path}"
    for name in result.possible_renames:
        yield f"If that was a rename, remove the file and add `--rename {name}`."
    if not result.revisions:
        yield "Models and database agree: no revision was written."


@_lines.register
def _(result: Scaffold, verbose: bool) -> Iterable[str]:
    yield from (f"Wrote {path}" for path in result.files)
    yield "Add to the .ini file:"
    yield from (f"    {line}".rstrip() for line in result.ini_lines)


@_lines.register
def _(result: Repair, verbose: bool) -> Iterable[str]:
    for each in result.tables:
        done = "Repaired" if each.is_needed else "Nothing to repair in"
        yield f"{done} the version table {each.table}: it holds {_held(each.after)}."
    if not result.tables:
        yield "Nothing to repair: there is no database yet."


def lines_of_plan(result: Repair) -> Iterable[str]:
    """Yield what a repair is about to write, and why."""
    for each in result.tables:
        if not each.is_needed:
            continue
        yield legible(f"The version table {each.table} holds {_held(each.before)}.")
        yield from (legible(f"  {_why(row)}") for row in each.rows)
        if each.widths:
            narrow, wide = each.widths
            yield (
                f"  The column becomes VARCHAR({wide}): its type adds blanks to each id."
                if each.is_padded
                else f"  The column is widened from {narrow} to {wide} characters, for the longest"
                " id."
            )
        yield legible(f"Then it holds {_held(each.after)}.")


def _held(rows: Iterable[str | None]) -> str:
    return ", ".join(map(shown, rows)) or "no row"


def _why(row: RowRepair) -> str:
    found = shown(row.row)
    if row.reason == "implied":
        return f"{found} is taken out: {row.instead} came after it, and says it already."
    if row.reason == "twice":
        return f"{found} stands there more than once, and is kept once."
    if row.reason == "blanks":
        return f"{found} becomes {row.instead}: an id has no blanks."
    return f"{found} is taken out: it is no revision."


@_lines.register(dict)
def _(result: dict[str, Any], verbose: bool) -> Iterable[str]:
    width = max(map(len, result["templates"]))
    yield from (f"{name:{width}}  {text}" for name, text in result["templates"].items())


def _where(what: str, result: OfDatabases) -> list[str]:
    """Return `what` was done, and where each database is now."""
    databases = result.databases
    if not databases:
        return [f"{what}: {NO_DATABASE}"]
    if len(databases) == 1:
        return [f"{what}: {_name(result)} is at {result.standing}."]
    names = _names(databases)
    each = zip(names, databases, strict=True)
    return [f"{what}.", *(f"  {name} is at {status.standing}." for name, status in each)]


def _name(result: OfDatabases) -> str:
    return short_name(str(result.database))


def _names(databases: Sequence[Status]) -> list[str]:
    tables = [status.table for status in databases]
    return [name_of(table, tables) for table in tables]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

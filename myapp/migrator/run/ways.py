"""Where a few steps may lead, if the history branches on the way."""

from collections.abc import Callable, Sequence

from ..base.ask_alembic import AskAlembic
from ..base.errors import MigrateError
from ..bridge.loading import ScriptHistory
from ..revisions.resolution import resolve
from ..revisions.target import Target

#: How many ways a hint names.
_LISTED = 10
_DOES = {"upgrade": "applies", "downgrade": "undoes"}

#: Returns the ids of the revisions that a command goes through to a target.
Goes = Callable[[str], Sequence[str]]


def ends_of(history: ScriptHistory, typed: Target, rows: Sequence[str]) -> list[str] | None:
    """Return all revisions to which the steps of `typed` lead from a database with `rows`.

    None if that can't be told.
    """
    graph = history.graph
    try:
        if typed.name:
            starts = list(resolve(graph, typed.start))
        elif typed.branch:
            lineage = graph.lineage(resolve(graph, typed.branch)[0])
            starts = [row for row in rows if row in lineage]
        else:
            starts = list(rows)
    except AskAlembic:
        return None
    count, is_at_base = typed.count, not starts
    if is_at_base and count > 0:
        starts, count = list(graph.bases), count - 1
    for _ in range(min(abs(count), len(graph.files) + 1)):
        ways = (
            graph.next_revisions[id_] if count > 0 else graph.files[id_].down_revision
            for id_ in starts
        )
        starts = list(dict.fromkeys(id_ for each in ways for id_ in each))
    return starts


def listed(history: ScriptHistory, command: str, targets: Sequence[str], goes: Goes) -> str | None:
    """Return a hint with a command for each of `targets`, and what it does; None without any."""
    lines = []
    for target in targets[:_LISTED]:
        try:
            ids = goes(target)
        except MigrateError:
            continue
        first = ids if len(ids) < 4 else ids[:3]
        more = f" and {len(ids) - 3} more" if len(ids) > len(first) else ""
        does = f"{_DOES[command]} {history.titles(first)}{more}" if ids else "does nothing"
        lines.append(f"\n`{{cmd}} {command} {target}` {does}.")
    if len(targets) > _LISTED:
        lines.append(f"\n{len(targets) - _LISTED} more are possible.")
    return f"type what you mean:{''.join(lines)}" if lines else None

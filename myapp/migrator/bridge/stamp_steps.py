"""The steps of a stamp: from the rows of a version table to those that it is to have."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from alembic.runtime.migration import StampStep

from ..revisions.graph import RESERVED
from ..revisions.rows import stamped_rows
from ..revisions.target import Target
from .loading import ScriptHistory
from .targets import find


def rows_to_stamp(
    history: ScriptHistory, targets: Sequence[str], rows: Sequence[str]
) -> Collection[str]:
    """Return the rows of a version table with `rows`, once `targets` are stamped.

    Raises BadRevision or MultipleHeads.
    """
    ids: set[str] = set()
    emptied: set[str] = set()
    for target in targets:
        found = find(history, target, "stamp")
        ids.update(revision.revision for revision in found)
        if not found:
            parsed = Target.parse(target)
            branch = parsed.branch or (parsed.name if parsed.name not in RESERVED else "")
            if not branch:
                rows = ()
            else:
                emptied.update(each.revision for each in find(history, branch, "stamp"))
    return stamped_rows(history.graph, rows, ids, emptied)


def stamp_steps(
    history: ScriptHistory, rows: Sequence[str], wanted: Collection[str]
) -> Iterator[Any]:
    """Yield Alembic's steps from a version table with `rows` to one with `wanted`.

    Deletions come last: where a script's table gets empty, Alembic writes that it is created.
    """
    order = history.graph.files
    removed = [row for row in rows if row not in wanted]
    added = [id_ for id_ in order if id_ in wanted and id_ not in rows]
    revision_map = history.script.revision_map
    both = min(len(removed), len(added))
    for row, id_ in zip(removed, added, strict=False):
        yield StampStep(row, id_, True, False, revision_map)
    for id_ in added[both:]:
        yield StampStep(None, id_, True, True, revision_map)
    for row in removed[both:]:
        yield StampStep(row, None, False, True, revision_map)

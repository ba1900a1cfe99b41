"""The steps of a stamp, for which Alembic has no public name.

`ScriptDirectory._stamp_revs` is what `alembic.command.stamp` runs. Through that function, `env.py`
would have to run twice more, to learn where the database stands before and after.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from alembic.runtime.migration import StampStep

from .loading import ScriptHistory


def stamp_steps(
    history: ScriptHistory, targets: Sequence[str], rows: Sequence[str]
) -> Iterator[Any]:
    """Yield Alembic's steps from a version table with `rows` to `targets`.

    The rows that others imply are deleted first: with them, Alembic finds no way, or leaves them.
    """
    script = history.script
    for row in history.implied(rows):
        yield StampStep(row, None, False, True, script.revision_map)
    yield from script._stamp_revs(tuple(targets), history.foremost(rows))

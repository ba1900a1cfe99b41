"""The steps of a stamp, for which Alembic has no public name.

`ScriptDirectory._stamp_revs` is what `alembic.command.stamp` runs. Through that function, `env.py`
would have to run twice more, to learn where the database stands before and after.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from alembic.script import ScriptDirectory


def stamp_steps(
    script: ScriptDirectory, targets: Sequence[str], rows: Sequence[str]
) -> Iterable[Any]:
    """Return Alembic's steps from a version table with `rows` to `targets`."""
    return script._stamp_revs(tuple(targets), tuple(rows))

"""Which revisions a run will go through."""

import re
from collections.abc import Sequence

from alembic.runtime.migration import MigrationStep, RevisionStep

from .history import History
from .targets import find, resolve, several_heads

_STEPS_UP = re.compile(r"\+\d+")
_STEPS_DOWN = re.compile(r"-\d+")


def plan_upgrade(history: History, target: str, heads: Sequence[str]) -> list[RevisionStep]:
    """Return the steps from a database at `heads` up to `target`, none when it is there or past it.

    Raises DatabaseAhead, RevisionNotFound or MultipleHeads.
    """
    history.require_known(heads)
    script = history.script
    if _STEPS_UP.fullmatch(target) and history.applied(heads).issuperset(history.ids()):
        return []
    scripts = resolve(
        history,
        target,
        "upgrade",
        lambda: list(script.iterate_revisions(target, tuple(heads), implicit_base=True)),
    )
    return [
        MigrationStep.upgrade_from_script(script.revision_map, revision)
        for revision in reversed(scripts)
    ]


def plan_downgrade(history: History, target: str, heads: Sequence[str]) -> list[RevisionStep]:
    """Return the steps from a database at `heads` down to `target`.

    Raises DatabaseAhead, RevisionNotFound, or MultipleHeads when `-1` could mean several branches.
    """
    history.require_known(heads)
    if _STEPS_DOWN.fullmatch(target) and len(heads) > 1:
        raise several_heads(history, tuple(heads), f"downgrade {target}")
    script = history.script
    scripts = resolve(
        history,
        target,
        "downgrade",
        lambda: list(script.iterate_revisions(tuple(heads), target, select_for_downgrade=True)),
    )
    return [
        MigrationStep.downgrade_from_script(script.revision_map, revision) for revision in scripts
    ]


def is_past(history: History, target: str, heads: Sequence[str]) -> bool:
    """Tell whether a database at `heads` has gone on from `target`."""
    if _STEPS_UP.fullmatch(target):
        return False
    named = {revision.revision for revision in find(history, target, "upgrade")}
    if not named:
        return target == "base" and bool(heads)
    return named.isdisjoint(history.current(heads))

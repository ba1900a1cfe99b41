"""Which revisions a run will go through."""

import re
from collections.abc import Callable, Sequence

from alembic.runtime.migration import MigrationStep, RevisionStep
from alembic.script import Script

from .errors import HistoryError, RevisionNotFound, UsageError
from .history import History, standing
from .targets import check_known, find, is_relative, resolve, several_heads

Planner = Callable[[History, str, Sequence[str]], list[RevisionStep]]

_STEPS = re.compile(r"(?:(?P<branch>.+)@)?(?P<sign>[+-])\d+")


def plan_upgrade(history: History, target: str, heads: Sequence[str]) -> list[RevisionStep]:
    """Return the steps from a database at `heads` up to `target`, none when it is there or past it.

    Raises DatabaseAhead, RevisionNotFound, or MultipleHeads when `head` or `+1` could mean several
    branches.
    """
    history.require_known(heads)
    check_known(history, target)
    if steps := _STEPS.fullmatch(target):
        _check_sign("upgrade", "+", steps)
        if _is_at_the_end(history, steps["branch"], heads):
            return []
        _check_one_head(history, "upgrade", steps, heads)
    script = history.script
    scripts = resolve(
        history,
        target,
        "upgrade",
        lambda: list(script.iterate_revisions(target, tuple(heads), implicit_base=True)),
    )
    _require_function("upgrade", scripts)
    return [
        MigrationStep.upgrade_from_script(script.revision_map, revision)
        for revision in reversed(scripts)
    ]


def plan_downgrade(history: History, target: str, heads: Sequence[str]) -> list[RevisionStep]:
    """Return the steps from a database at `heads` down to `target`.

    Raises DatabaseAhead, RevisionNotFound, or MultipleHeads when `-1` could mean several branches.
    """
    history.require_known(heads)
    check_known(history, target)
    if steps := _STEPS.fullmatch(target):
        _check_sign("downgrade", "-", steps)
        _check_one_head(history, "downgrade", steps, heads)
    elif not is_relative(target):
        _require_applied(history, target, heads)
    script = history.script
    scripts = resolve(
        history,
        target,
        "downgrade",
        lambda: list(script.iterate_revisions(tuple(heads), target, select_for_downgrade=True)),
    )
    _require_function("downgrade", scripts)
    return [
        MigrationStep.downgrade_from_script(script.revision_map, revision) for revision in scripts
    ]


def is_past(history: History, target: str, heads: Sequence[str]) -> bool:
    """Tell whether a database at `heads`, for which there is no step to `target`, is past it."""
    if _STEPS.fullmatch(target):
        return False
    if is_relative(target):
        lower = history.script.iterate_revisions(target, "base")
        named = {next(lower).revision}
    else:
        named = {revision.revision for revision in find(history, target, "upgrade")}
    if not named:
        return target == "base" and bool(heads)
    return named.isdisjoint(history.current(heads))


def _is_at_the_end(history: History, branch: str | None, heads: Sequence[str]) -> bool:
    ends = find(history, f"{branch}@heads" if branch else "heads", "upgrade")
    return history.applied(heads).issuperset(end.revision for end in ends)


def _check_sign(command: str, sign: str, steps: re.Match[str]) -> None:
    if steps["sign"] != sign:
        other = "downgrade" if command == "upgrade" else "upgrade"
        raise UsageError(
            f"`{command}` can't go {'up' if steps['sign'] == '+' else 'down'}: `{steps[0]}`.",
            hint=f"type `{{cmd}} {other} {steps[0]}`, or turn the sign.",
        )


def _check_one_head(
    history: History, command: str, steps: re.Match[str], heads: Sequence[str]
) -> None:
    if len(heads) > 1 and not steps["branch"]:
        raise several_heads(
            history,
            tuple(heads),
            f"{command} {steps[0]}",
            hint=f"name the branch, as in `{{cmd}} {command} {heads[0]}@{steps[0]}`.",
        )


def _require_function(name: str, scripts: Sequence[Script]) -> None:
    for script in scripts:
        if not callable(getattr(script.module, name, None)):
            raise HistoryError(
                f"Revision file {script.path} has no function `{name}()`, so it can't be run.",
                hint=f"add `def {name}():` to it, with `pass` if there is nothing to do.",
                paths=[script.path],
            )


def _require_applied(history: History, target: str, heads: Sequence[str]) -> None:
    named = {revision.revision for revision in find(history, target, "downgrade")}
    if named and named.isdisjoint(history.applied(heads)):
        raise RevisionNotFound(
            f"`{target}` is not applied, so there is no going back to it: the database is at"
            f" {standing(history, heads)}.",
            hint=f"to go on to it, type `{{cmd}} upgrade {target}`.",
        )

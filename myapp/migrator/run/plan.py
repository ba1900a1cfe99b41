"""Plan which revisions a run goes through."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..base.ask_alembic import AskAlembic
from ..base.errors import BadRevision, HistoryError, UsageError
from ..base.results import Direction
from ..bridge.loading import ScriptHistory
from ..bridge.planned_step import PlannedStep
from ..bridge.slips import require_typed_out
from ..bridge.targets import check_known, find, out_of_reach, resolve, several_heads
from ..revisions.allowances import irreversible_in
from ..revisions.history import standing
from ..revisions.resolution import downgrade_plan, upgrade_plan
from ..revisions.rows import RowChange, downgrade_rows, upgrade_rows
from ..revisions.target import Target
from .ways import Goes, ends_of, listed

Planner = Callable[[ScriptHistory, str, Sequence[str]], list[PlannedStep]]


def plan_upgrade(history: ScriptHistory, target: str, rows: Sequence[str]) -> list[PlannedStep]:
    """Return the steps from a database with `rows` up to `target`; none if it is there or past it.

    A row that others imply plays no part, and is left.

    Raises DatabaseAhead, BadRevision, or MultipleHeads when `head` or `+1` could mean several
    branches.
    """
    history.require_known(rows)
    require_typed_out(history, target, "upgrade")
    check_known(history, target)
    typed = Target.parse(target)
    ends = history.foremost(rows)
    if typed.is_from_database:
        _check_sign("upgrade", "+", target, typed)
        if _is_at_the_end(history, typed.branch, ends):
            return []
        _check_one_head(history, "upgrade", target, ends, plan_upgrade)
    try:
        ids = upgrade_plan(history.graph, target, ends)
    except AskAlembic:
        with _ways_told(history, "upgrade", target, ends, plan_upgrade):
            ids = _iterated(history, "upgrade", target, target, tuple(ends), implicit_base=True)
    _require_function(history, "upgrade", ids)
    ids.reverse()
    changes = upgrade_rows(history.graph, ids, rows)
    return [PlannedStep(history, *each, is_upgrade=True) for each in zip(ids, changes, strict=True)]


def plan_downgrade(history: ScriptHistory, target: str, rows: Sequence[str]) -> list[PlannedStep]:
    """Return the steps from a database with `rows` down to `target`.

    A row that others imply stays for as long as its revision is applied.

    Raises DatabaseAhead, BadRevision, also for a revision whose file calls it irreversible, or
    MultipleHeads when `-1` could mean several branches.
    """
    history.require_known(rows)
    require_typed_out(history, target, "downgrade")
    check_known(history, target)
    typed = Target.parse(target)
    ends = history.foremost(rows)
    if typed.is_from_database:
        _check_sign("downgrade", "-", target, typed)
        _check_one_head(history, "downgrade", target, ends, plan_downgrade)
    elif typed.steps is None:
        _require_applied(history, target, ends)
    try:
        ids = downgrade_plan(history.graph, target, ends)
    except AskAlembic:
        with _ways_told(history, "downgrade", target, ends, plan_downgrade):
            ids = _iterated(
                history, "downgrade", target, tuple(ends), target, select_for_downgrade=True
            )
    changes = downgrade_rows(history.graph, ids, rows)
    _require_reversible(history, ids, changes, rows)
    _require_function(history, "downgrade", ids)
    return [
        PlannedStep(history, *each, is_upgrade=False) for each in zip(ids, changes, strict=True)
    ]


def plan_one(
    history: ScriptHistory, id_: str, rows: Sequence[str], direction: Direction
) -> list[PlannedStep]:
    """Return the step of one revision alone, which must be the next on the way up or down.

    Raises HistoryError when its file has no such function.
    """
    _require_function(history, direction, [id_])
    is_upgrade = direction == "upgrade"
    (change,) = (upgrade_rows if is_upgrade else downgrade_rows)(history.graph, [id_], rows)
    return [PlannedStep(history, id_, change, is_upgrade=is_upgrade)]


def is_past(history: ScriptHistory, target: str, rows: Sequence[str]) -> bool:
    """Tell whether a database with `rows` is past `target`. Ask only if there is no step to it."""
    typed = Target.parse(target)
    if typed.is_from_database:
        return False
    if typed.steps:
        lower = history.script.iterate_revisions(target, "base")
        named = {next(iter(lower)).revision}
    else:
        named = {revision.revision for revision in find(history, target, "upgrade")}
    if not named:
        return target == "base" and bool(rows)
    return named.isdisjoint(history.current(rows))


def _iterated(
    history: ScriptHistory,
    command: str,
    target: str,
    upper: str | tuple[str, ...],
    lower: str | tuple[str, ...],
    **options: bool,
) -> list[str]:
    """Return the revisions between the two, as Alembic finds them. Raises what `resolve` raises."""
    iterate = history.script.iterate_revisions
    # Alembic takes several revisions at either end; its annotation says one.
    found = resolve(history, target, command, lambda: list(iterate(upper, lower, **options)))
    return [revision.revision for revision in found]


def _is_at_the_end(history: ScriptHistory, branch: str | None, rows: Sequence[str]) -> bool:
    ends = find(history, f"{branch}@heads" if branch else "heads", "upgrade")
    return history.applied(rows).issuperset(end.revision for end in ends)


def _check_sign(command: str, sign: str, target: str, typed: Target) -> None:
    if not (typed.steps or "").startswith(sign):
        other = "downgrade" if command == "upgrade" else "upgrade"
        raise UsageError(
            f"`{command}` can't go {'down' if sign == '+' else 'up'}: `{target}`.",
            hint=f"type `{{cmd}} {other} {target}`, or turn the sign.",
        )


def _check_one_head(
    history: ScriptHistory, command: str, target: str, rows: Sequence[str], planner: Planner
) -> None:
    if len(rows) > 1 and "@" not in target:
        named = [f"{row}@{target}" for row in rows]
        raise several_heads(
            history,
            tuple(rows),
            f"{command} {target}",
            hint=listed(history, command, named, _goes(history, rows, planner))
            or f"name the branch, as in `{{cmd}} {command} {named[0]}`.",
        )


@contextmanager
def _ways_told(
    history: ScriptHistory, command: str, target: str, rows: Sequence[str], planner: Planner
) -> Iterator[None]:
    """Let the error of steps that lead to several revisions say what leads to each."""
    try:
        yield
    except BadRevision as error:
        typed = Target.parse(target)
        if error.details["reason"] == "ambiguous" and typed.steps:
            ends = ends_of(history, typed, rows)
            if ends == []:
                raise out_of_reach(target) from None
            goes = _goes(history, rows, planner)
            error.hint = listed(history, command, ends or [], goes) or error.hint
            error.details["candidates"] = ends
        raise


def _goes(history: ScriptHistory, rows: Sequence[str], planner: Planner) -> Goes:
    return lambda target: [s.revision.revision for s in planner(history, target, rows)]


def _require_function(history: ScriptHistory, name: str, ids: Iterable[str]) -> None:
    for script in map(history.script_of, ids):
        if not callable(getattr(script.module, name, None)):
            raise HistoryError(
                f"Revision file {script.path} has no function `{name}()`, so it can't be run.",
                hint=f"add `def {name}():` to it, with `pass` if there is nothing to do.",
                paths=[script.path],
            )


def _require_reversible(
    history: ScriptHistory, ids: Iterable[str], changes: Iterable[RowChange], rows: Sequence[str]
) -> None:
    left = dict.fromkeys(rows)
    for change in changes:
        left = {row: None for row in (*left, *change.added) if row not in change.removed}
    for revision in map(history.get, ids):
        if mark := irreversible_in(revision.path):
            there = " ".join(left) or "base"
            why = f": {mark.reason.rstrip('.')}" if mark.reason else ", for no reason given"
            raise BadRevision(
                f"{revision.title} is irreversible{why}. So no revision was downgraded."
                f"\n{revision.path}, line {mark.line}, says so.",
                reason="irreversible",
                hint="restore a backup, or undo it in a new revision. If the schema is as it was"
                f" at {there} already, type `{{cmd}} stamp {there}`.",
            )


def _require_applied(history: ScriptHistory, target: str, rows: Sequence[str]) -> None:
    named = {revision.revision for revision in find(history, target, "downgrade")}
    if named and named.isdisjoint(history.applied(rows)):
        raise BadRevision(
            f"`{target}` is not applied, so there is no going back to it: the database is at"
            f" {standing(history, rows)}.",
            reason="not_applied",
            hint=f"to go on to it, type `{{cmd}} upgrade {target}`.",
        )

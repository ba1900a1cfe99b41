"""Upgrade and downgrade: plan, lock, run each revision, and try again where that is safe."""

from collections.abc import Sequence
from functools import cache

from ..base.errors import DatabaseUnreachable
from ..base.results import Direction, Run
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.planned_step import PlannedStep
from ..bridge.version_table import look, read_heads
from ..revisions.answers import union
from ..revisions.history import standing
from ..run.execution import Execution
from ..run.outcome import failure, interruptible
from ..run.plan import Planner, is_past, plan_downgrade, plan_upgrade
from ..run.recording import require_recorded
from ..run.retries import Attempts
from ..run.writing import writing


def upgrade(
    context: RunContext,
    target: str = "heads",
    *,
    tag: str | None = None,
    allow_ahead: bool = False,
) -> Run:
    """Upgrade the database to `target`, each revision in its own transaction, under the lock.

    With `allow_ahead`, a database at a revision that the code lacks counts as done.

    Raises MigrationFailed or HalfApplied when a revision fails, LockNotObtained, LockLost or
    Interrupted. Before anything is changed, it raises what `plan_upgrade` and `read_heads` raise.
    """

    def plan(history: ScriptHistory, target: str, heads: Sequence[str]) -> list[PlannedStep]:
        if allow_ahead and history.unknown(heads):
            return []
        history.require_not_ahead(heads)
        return plan_upgrade(history, target, heads)

    return _run(context, "upgrade", plan, target, tag)


def downgrade(context: RunContext, target: str, *, tag: str | None = None) -> Run:
    """Downgrade the database to `target`. Raises what `upgrade` raises."""
    return _run(context, "downgrade", plan_downgrade, target, tag)


def _run(
    context: RunContext, direction: Direction, planner: Planner, target: str, tag: str | None
) -> Run:
    history = load_history(context, context.reading)
    planner = cache(planner)  # under the lock, the database mostly stands where it stood before it
    with shared_engine(context):
        each = look(context, history.script)
        history = settled(context, history)
        if each is not None and not any(planner(history, target, heads) for heads in each):
            before = union(each)
            past = (
                direction == "upgrade"
                and not history.unknown(before)
                and is_past(history, target, before)
            )
            return Run(direction, target, before, before, (), past, standing(history, before))
        with interruptible(context, history):
            with writing(context) as (lock, observer):
                execution = Execution(context, history, direction, planner, target, lock, observer)
                after = _execute(execution, tag)
            done = tuple(execution.done)
            before, now = execution.before, standing(history, after)
        return Run(direction, target, before, after, done, False, now)


def _heads_after(execution: Execution) -> tuple[str, ...]:
    """Return the rows after a run. If the run doesn't know them, ask `env.py`."""
    if execution.after is not None:
        return execution.after
    try:
        return read_heads(execution.context, execution.history.script, has_run=True)
    except DatabaseUnreachable:
        return read_heads(execution.context, execution.history.script, has_run=True)


def _execute(execution: Execution, tag: str | None) -> tuple[str, ...]:
    """Run to the end and return the rows after it. Retry a revision that ran into a lock."""
    attempts = Attempts(execution, execution.context.settings.options)
    try:
        while True:
            try:
                try:
                    execution.run(tag)
                finally:
                    execution.context.watcher.ended()
                break
            except Exception as error:
                if not attempts.another(error):
                    raise
        after = _heads_after(execution)
    except BaseException as error:
        raise failure(execution, error) from error
    finally:
        execution.evidence.close()
    require_recorded(execution, after)
    if left := execution.invalid_indexes():
        execution.context.watcher.notice(
            f"the run left invalid indexes, which no query uses: {', '.join(left)}"
        )
    return after

"""Upgrade and downgrade: plan, lock, run each revision, try again what may be, and say the end."""

from collections.abc import Sequence

from alembic.config import Config

from ..base.errors import DatabaseUnreachable
from ..base.results import Direction, Run
from ..bridge.configuration import settings_of, watcher_of
from ..bridge.connection import shared_engine
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.planned_step import PlannedStep
from ..bridge.version_table import look, read_heads
from ..revisions.answers import union
from ..revisions.history import standing
from ..run.execution import Execution
from ..run.outcome import failure, interruptible, require_recorded
from ..run.plan import Planner, is_past, plan_downgrade, plan_upgrade
from ..run.retries import Attempts
from ..run.writing import writing


def upgrade(
    config: Config,
    target: str = "heads",
    *,
    tag: str | None = None,
    allow_ahead: bool = False,
) -> Run:
    """Upgrade the database to `target`, each revision in its own transaction, under the lock.

    With `allow_ahead`, a database at a revision that the code lacks counts as done.

    Raises MigrationFailed or HalfApplied when a revision fails, LockNotObtained, LockLost or
    Interrupted, and what `plan_upgrade` and `read_heads` raise before anything is
    changed.
    """

    def plan(history: ScriptHistory, target: str, heads: Sequence[str]) -> list[PlannedStep]:
        if allow_ahead and history.unknown(heads):
            return []
        history.require_not_ahead(heads)
        return plan_upgrade(history, target, heads)

    return _run(config, "upgrade", plan, target, tag)


def downgrade(config: Config, target: str, *, tag: str | None = None) -> Run:
    """Downgrade the database to `target`; raises what `upgrade` raises."""
    return _run(config, "downgrade", plan_downgrade, target, tag)


def _run(
    config: Config, direction: Direction, planner: Planner, target: str, tag: str | None
) -> Run:
    history = load_history(config)
    with shared_engine(config):
        each = look(config, history.script)
        history = settled(config, history)
        if each is not None and not any(planner(history, target, heads) for heads in each):
            before = union(each)
            past = (
                direction == "upgrade"
                and not history.unknown(before)
                and is_past(history, target, before)
            )
            return Run(direction, target, before, before, (), past, standing(history, before))
        with interruptible(config, history):
            with writing(config) as (lock, observer):
                execution = Execution(config, history, direction, planner, target, lock, observer)
                after = _execute(execution, tag)
            done = tuple(execution.done)
            before, now = execution.before, standing(history, after)
        return Run(direction, target, before, after, done, False, now)


def _heads_after(execution: Execution) -> tuple[str, ...]:
    """Return the heads after a run, on another connection where the run's was cut meanwhile."""
    try:
        return read_heads(execution.config, execution.history.script, has_run=True)
    except DatabaseUnreachable:
        return read_heads(execution.config, execution.history.script, has_run=True)


def _execute(execution: Execution, tag: str | None) -> tuple[str, ...]:
    """Run to the end, trying again a revision that met others' locks; return the heads after it."""
    attempts = Attempts(execution, settings_of(execution.config).options.retries)
    try:
        while True:
            try:
                try:
                    execution.run(tag)
                finally:
                    watcher_of(execution.config).ended()
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
        watcher_of(execution.config).notice(
            f"the run left invalid indexes, of use to no query: {', '.join(left)}"
        )
    return after

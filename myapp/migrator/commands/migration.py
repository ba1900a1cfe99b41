"""Upgrade and downgrade: plan, lock, run each revision, and try again where that is safe."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from ..base.errors import DatabaseUnreachable, HalfApplied, MigrationFailed
from ..base.results import Direction, Run, VersionTable, name_of, union
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_py import tell_env_py
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.planned_step import PlannedStep
from ..bridge.version_table import look, read_each
from ..revisions import answers
from ..run.consent import Consent, MayDrop, anything
from ..run.execution import Execution
from ..run.outcome import failure, interruptible
from ..run.plan import Planner, is_past, plan_downgrade, plan_one, plan_upgrade
from ..run.recording import require_recorded
from ..run.retries import Attempts
from ..run.writing import writing


def upgrade(
    context: RunContext,
    target: str = "heads",
    *,
    tag: str | None = None,
    allow_ahead: bool = False,
    may_drop: MayDrop = anything,
) -> Run:
    """Upgrade the database to `target`, each revision in its own transaction, under the lock.

    With `allow_ahead`, a database at a revision that the code lacks counts as done. `may_drop` is
    called with what the run drops, before the lock is taken; it may refuse.

    Raises MigrationFailed or HalfApplied when a revision fails, LockNotObtained, LockLost or
    Interrupted. Before anything is changed, it raises what `plan_upgrade` and `read_each` raise.
    """

    def plan(history: ScriptHistory, target: str, rows: Sequence[str]) -> list[PlannedStep]:
        if allow_ahead and history.unknown(rows):
            return []
        history.require_not_ahead(rows)
        return plan_upgrade(history, target, rows)

    return _run(context, "upgrade", plan, target, tag, may_drop)


def downgrade(
    context: RunContext, target: str, *, tag: str | None = None, may_drop: MayDrop = anything
) -> Run:
    """Downgrade the database to `target`. Raises what `upgrade` raises."""
    return _run(context, "downgrade", plan_downgrade, target, tag, may_drop)


Walk = Callable[[str, Direction], tuple[VersionTable, ...]]


@contextmanager
def stepping(context: RunContext, history: ScriptHistory) -> Iterator[Walk]:
    """Hold the lock within, and yield what runs one revision up or down.

    That is called with its id and the direction. It does what `upgrade` or `downgrade` to there
    would do, each time in a pass through `env.py` of its own, and returns the version tables
    after it. It raises what `upgrade` raises.
    """
    tell_env_py(context, "heads", None)
    with shared_engine(context), writing(context) as (lock, observer):

        def walk(id_: str, direction: Direction) -> tuple[VersionTable, ...]:
            def plan(history: ScriptHistory, _: str, rows: Sequence[str]) -> list[PlannedStep]:
                return plan_one(history, id_, rows, direction)

            context.canceller.check()
            return _execute(Execution(context, history, direction, plan, id_, lock, observer), None)

        yield walk


def _run(
    context: RunContext,
    direction: Direction,
    planner: Planner,
    target: str,
    tag: str | None,
    may_drop: MayDrop,
) -> Run:
    tell_env_py(context, target, tag)
    history = load_history(context, context.reading)
    consent = Consent(may_drop, direction, target)
    planner = cache(planner)  # under the lock, the database mostly stands where it stood before it
    with shared_engine(context):
        tables = look(context, history.script)
        history = settled(context, history)
        _tell_implied(context, history, tables or ())
        is_to_all = direction == "upgrade" and target == "heads"
        if is_to_all and (sentence := answers.heads_to_join_told(history)):
            context.watcher.notice(sentence)
        planned = _planned(history, planner, target, tables or ())
        if tables is not None and not any(steps for _, steps in planned):
            past = direction == "upgrade" and _are_past(history, target, tables)
            found = answers.statuses(history, tables)
            return Run(union(tables), direction, target, (), past, databases=found)
        consent.require(context, history, planned)
        planner = consent.guarded(planner)
        with interruptible(context, history):
            with writing(context) as (lock, observer):
                execution = Execution(
                    context, history, direction, planner, target, lock, observer, tables or ()
                )
                after = _execute(execution, tag)
            done = tuple(execution.done)
            found = answers.statuses(execution.history, after)
        return Run(union(execution.before), direction, target, done, False, databases=found)


def _planned(
    history: ScriptHistory, planner: Planner, target: str, tables: Sequence[VersionTable]
) -> list[tuple[VersionTable, list[PlannedStep]]]:
    """Plan for all databases, so that what can't be planned stops the run before it begins."""
    planned = []
    for table in tables:
        with answers.in_database(table, tables):
            planned.append((table, planner(history, target, table.rows)))
    return planned


def _are_past(history: ScriptHistory, target: str, tables: Sequence[VersionTable]) -> bool:
    return bool(tables) and all(
        not history.unknown(table.rows) and is_past(history, target, table.rows) for table in tables
    )


def _tell_implied(
    context: RunContext, history: ScriptHistory, tables: Sequence[VersionTable]
) -> None:
    """Warn of rows that say nothing. Alembic by itself would fail at them, or leave them."""
    for table in tables:
        if implied := history.implied(table.rows):
            where = f" of {name_of(table, tables)}" if len(tables) > 1 else ""
            context.watcher.notice(
                f"the version table {table.name}{where} holds {', '.join(implied)} beside"
                f" {', '.join(history.foremost(table.rows))}, which came after. Nothing is missing;"
                " `repair` takes out what is too much."
            )


def _tables_after(execution: Execution) -> tuple[VersionTable, ...]:
    """Return the version tables after a run. If the run doesn't know them, ask `env.py`."""
    if execution.after is not None:
        return execution.after
    try:
        return read_each(execution.context, execution.history.script, has_run=True)
    except DatabaseUnreachable:
        return read_each(execution.context, execution.history.script, has_run=True)


def _execute(execution: Execution, tag: str | None) -> tuple[VersionTable, ...]:
    """Run to the end and return the tables after it. Retry a revision that ran into a lock."""
    attempts = Attempts(execution, execution.context.settings.options)
    execution.indexes.tell_before()
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
        after = _tables_after(execution)
    except BaseException as error:
        told = failure(execution, error)
        if isinstance(told, MigrationFailed | HalfApplied):  # the server has answered
            execution.indexes.tell_after(has_failed=True)
        raise told from error
    finally:
        execution.evidence.close()
    require_recorded(execution, after)
    execution.indexes.tell_after()
    return after

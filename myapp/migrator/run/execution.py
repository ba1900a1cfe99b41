"""One pass through `env.py`: the planned revisions, and how far they have come."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from ..base.results import Direction, Step, VersionTable
from ..bridge.context import RunContext
from ..bridge.env_py import run_env
from ..bridge.loading import ScriptHistory, settled
from ..bridge.place import version_table
from ..bridge.planned_step import PlannedStep
from ..bridge.version_column import require_room, wide_enough
from ..bridge.version_row import VersionRow, rows_left
from ..database.listening import listening
from ..database.sqlite import Writer
from ..lock import Lock
from ..revisions.answers import in_database
from .evidence import Evidence
from .index_check import IndexCheck
from .leftovers import Leftovers
from .observer import Observer
from .plan import Planner
from .plans import Plan, Plans
from .progress import Progress
from .self_block import SelfBlock
from .session_state import SessionState


class Execution:
    """The revisions that are `done`, the one that is `running`, and what it may have left."""

    def __init__(
        self,
        context: RunContext,
        history: ScriptHistory,
        direction: Direction,
        planner: Planner,
        target: str,
        lock: Lock,
        observer: Observer,
        looked_at: Sequence[VersionTable] = (),
    ) -> None:
        """`looked_at` are the version tables as they were before the run, where that is known."""
        self.context = context
        self.history = history
        self.direction = direction
        self.target = target
        self.lock = lock
        self.observer = observer
        is_pooled = bool(context.settings.options.lock_url)
        self.evidence = Evidence(observer.committed_since, is_pooled=is_pooled)
        self._session = SessionState(is_pooled=is_pooled)
        self._planner = planner
        self._plans = Plans(looked_at)
        self._row = VersionRow()
        self.progress = Progress(
            self._plans,
            self._row,
            self.evidence,
            lambda rows: self.history.applied(rows),
            is_upgrade=direction == "upgrade",
        )
        self._writer = Writer()
        self.self_block = SelfBlock(observer, self.evidence, context.application)
        self.indexes = IndexCheck(observer, self.evidence, context.watcher)

    @property
    def running(self) -> Step | None:
        """The revision that runs, or that did not end; env.py may have gone on to others."""
        return self._plans.at.running if self._plans.at else None

    @property
    def done(self) -> list[Step]:
        """The revisions that were committed."""
        return [step for plan in self._plans.all for step in plan.done]

    @property
    def before(self) -> tuple[VersionTable, ...]:
        """The version tables when the run began."""
        return tuple(plan.table for plan in self._plans.all)

    @property
    def after(self) -> tuple[VersionTable, ...] | None:
        """The version tables, as the run has committed them; None where that isn't known."""
        return self._row.known([plan.table_after for plan in self._plans.asked])

    @property
    def was_asked(self) -> bool:
        """Whether `env.py` has called `context.run_migrations()`."""
        return bool(self._plans.asked)

    @property
    def table(self) -> VersionTable | None:
        """The version table of the database of `running`, or of the last that was asked for."""
        return self._plans.at.table if self._plans.at else None

    def run(self, tag: str | None) -> None:
        """Run all that is planned. Raises whatever a revision raises."""
        self._plans.begin()
        self.observer.forget()
        with ExitStack() as stack:
            # The writer comes first: the evidence looks at transactions that have begun.
            stack.enter_context(
                listening(
                    begin=self._writer.begin, before_cursor_execute=self._writer.set_journal_mode
                )
            )
            # So does the check, for the evidence counts what it asks.
            stack.enter_context(listening(before_cursor_execute=self._check))
            stack.enter_context(self.evidence.recording())
            stack.enter_context(self.self_block.noticing())
            stack.enter_context(self._row.moving())
            stack.enter_context(wide_enough(self.history))
            stack.enter_context(self._session.watching())
            run_env(
                self.context,
                self.history.script,
                self._steps,
                destination_rev=self.target,
                tag=tag,
            )

    def leftovers(self, now: Sequence[VersionTable] | None = ()) -> Leftovers | None:
        """Return what the running revision may have left, None if it is proven to be nothing.

        `now` are the version tables, None if the database doesn't answer. If revisions wait to be
        committed together, the answer is about all of them.
        """
        is_shared = self.evidence.shares_transaction and bool(self.done)
        step = self.running or (self.done[-1] if is_shared else None)
        if step is None:
            return None
        if self.evidence.left_nothing(is_up=now is not None) and not self.indexes.in_the_way:
            return None
        return self.leftovers_of(step, now or ())

    def leftovers_of(self, step: Step, now: Sequence[VersionTable]) -> Leftovers:
        """Return what is known to be left of `step`, the last one that ran."""
        recorded = {
            plan.key(each.revision.revision)
            for plan in self._plans.all
            for each in self.progress.of(plan, now)
        }
        committed, more = self.evidence.committed(recorded)
        return Leftovers(
            step.revision.revision, committed, more, self.indexes.left(), self.evidence.why
        )

    def _check(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self.running:
            self.indexes.require_buildable(connection, statement)

    def _steps(self, rows: Any, migration_context: MigrationContext) -> Iterator[PlannedStep]:
        """Yield the steps to Alembic, which asks for the next one after each commit."""
        plan = self._plan(version_table(migration_context, rows))
        connection = migration_context.connection
        assert connection is not None  # noqa: S101 - only `--sql` has none, and doesn't come here
        migration_context.on_version_apply_callbacks = (
            self._row.require_kept,
            *migration_context.on_version_apply_callbacks,
        )
        require_room(migration_context, (id_ for step in plan.steps for id_ in step.added))
        watcher, left = self.context.watcher, plan.steps[len(plan.done) :]
        if left and self._session.remember(connection):
            self.evidence.forget(connection)
        for step in left:
            self.context.canceller.check()
            self.lock.require_held()
            self.lock.note(step.revision.revision)
            self.observer.forget()
            number = len(plan.done) + 1
            running = Step(
                number,
                len(plan.steps),
                step.revision,
                self.direction,
                plan.table,
                self._plans.name(plan),
            )
            watcher.step(running)
            start = time.perf_counter()
            plan.running = running
            self._writer.begin_revision(connection, is_shared=self.evidence.shares_transaction)
            self.evidence.begin_revision(
                plan.key(step.revision.revision),
                connection,
                transactional_ddl=migration_context.impl.transactional_ddl,
            )
            function = self.self_block.observed(step.function, connection)
            function = self._session.restoring(connection, function)
            step.migration_fn = self.evidence.observed(function)
            step.moves_row = None if self.history.graph.is_alembics else self._row.expect
            yield step
            self.evidence.end_revision(connection)
            finished = replace(running, seconds=time.perf_counter() - start)
            plan.running = None
            plan.written[step.revision.revision] = self._row.written
            plan.done.append(finished)
            watcher.step(finished)
        self.lock.note(None)
        self._session.end(connection)
        self._writer.end()
        plan.after = rows_left(migration_context) if plan.steps else plan.table.rows

    def _plan(self, table: VersionTable) -> Plan:
        """Plan from `table`, or take the plan of the first try: `+2` means two from there."""
        plan = self._plans.of(table)
        if plan is None:
            self.history = settled(self.context, self.history)
            with in_database(table, self._plans.tables(table)):
                steps = self._planner(self.history, self.target, table.rows)
            plan = self._plans.add(table, steps)
        self._plans.ask(plan)
        # If the whole run is one transaction, the try that failed has undone all its steps.
        plan.done = self.progress.done_of(plan, table.rows)
        self.progress.require_undone(plan, table.rows)
        return plan

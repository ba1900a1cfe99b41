"""One pass through `env.py`: the planned revisions, and how far they have come."""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from alembic.runtime.migration import MigrationContext

from ..base.errors import LockLost
from ..base.results import Direction, Revision, Step
from ..bridge.context import RunContext
from ..bridge.env_py import run_env
from ..bridge.loading import ScriptHistory, settled
from ..bridge.planned_step import PlannedStep
from ..bridge.version_row import VersionRow, rows_left
from ..database.listening import listening
from ..database.sqlite import Writer
from ..lock import Lock
from ..revisions.answers import union
from .evidence import Evidence
from .leftovers import Leftovers
from .observer import Observer
from .plan import Planner


@dataclass
class _Plan:
    """The plan for one database. An `env.py` of the template multidb opens several."""

    before: tuple[str, ...]
    steps: list[PlannedStep]
    done: list[Step] = field(default_factory=list)
    after: tuple[str, ...] | None = None


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
    ) -> None:
        self.context = context
        self.history = history
        self.direction = direction
        self.target = target
        self.lock = lock
        self.observer = observer
        is_pooled = bool(context.settings.options.lock_url)
        self.evidence = Evidence(observer.committed_since, is_pooled=is_pooled)
        self.running: Step | None = None
        self._planner = planner
        self._plans: list[_Plan] = []
        self._asked = 0
        self._row = VersionRow()
        self._writer = Writer()
        self._written: dict[str, int] = {}
        self._invalid_before = observer.invalid_indexes()

    @property
    def done(self) -> list[Step]:
        """The revisions that were committed."""
        return [step for plan in self._plans for step in plan.done]

    @property
    def before(self) -> tuple[str, ...]:
        """The version table's rows when the run began."""
        return tuple(dict.fromkeys(head for plan in self._plans for head in plan.before))

    @property
    def after(self) -> tuple[str, ...] | None:
        """The version table's rows, as the run has committed them; None where that isn't known."""
        found = [plan.after for plan in self._plans[: self._asked]]
        if not found or not self._row.is_committed:
            return None
        return None if None in found else union(rows for rows in found if rows)

    @property
    def was_asked(self) -> bool:
        """Whether `env.py` has called `context.run_migrations()`."""
        return bool(self._asked)

    def run(self, tag: str | None) -> None:
        """Run all that is planned. Raises whatever a revision raises."""
        self.running = None
        self._asked = 0
        with ExitStack() as stack:
            # The writer comes first: the evidence looks at transactions that have begun.
            stack.enter_context(listening(begin=self._writer.begin))
            stack.enter_context(self.evidence.recording())
            stack.enter_context(self._row.moving())
            run_env(
                self.context,
                self.history.script,
                self._steps,
                destination_rev=self.target,
                tag=tag,
            )

    def invalid_indexes(self) -> list[str] | None:
        """Return the quoted names of the invalid indexes that the run has left.

        None where that isn't known.
        """
        now, before = self.observer.invalid_indexes(), self._invalid_before
        return None if now is None or before is None else sorted(now - before)

    def leftovers(self, heads: Iterable[str] | None = ()) -> Leftovers | None:
        """Return what the running revision may have left, None if it is proven to be nothing.

        `heads` are the version table's rows, None if the database doesn't answer. If revisions
        wait to be committed together, the answer is about all of them.
        """
        is_shared = self.evidence.shares_transaction and bool(self.done)
        step = self.running or (self.done[-1] if is_shared else None)
        if step is None or self.evidence.left_nothing(is_up=heads is not None):
            return None
        return self.leftovers_of(step, heads or ())

    def leftovers_of(self, step: Step, heads: Iterable[str]) -> Leftovers:
        """Return what is known to be left of `step`, the last one that ran."""
        recorded = {each.revision.revision for each in self.recorded(self.done, heads)}
        committed, more = self.evidence.committed(recorded)
        return Leftovers(
            step.revision.revision, committed, more, self.invalid_indexes(), self.evidence.why
        )

    def not_kept(self, heads: Iterable[str]) -> list[Step]:
        """Return the `done` steps whose rows were committed, and are not among `heads`."""
        recorded = self.recorded(self.done, heads)
        return [
            step
            for step in self.done
            if step not in recorded and self._written[step.revision.revision] <= self._row.committed
        ]

    def recorded(self, steps: Iterable[Step], heads: Iterable[str]) -> list[Step]:
        """Return those of `steps` that the version table's rows `heads` show as done."""
        applied, upgraded = self.history.applied(heads), self.direction == "upgrade"
        return [step for step in steps if (step.revision.revision in applied) == upgraded]

    def progress(self, heads: Iterable[str] | None, failed: str | None) -> dict[str, Any]:
        """Return how far the run came, in ids, but for the revision that has `failed`.

        `heads` are the version table's rows now. Where they are None, what waited to be committed
        with other revisions is None too.
        """
        running, ended = self.running, self.done
        tried = [*ended, running] if running else ended
        done: list[Step] | None = ended
        if heads is not None:
            done = self.recorded(tried, heads)
        elif ended and self.evidence.shares_transaction:
            done = None
        left = [step.revision for plan in self._plans for step in plan.steps[len(plan.done) :]]
        return {
            "done": None if done is None else _ids(step.revision for step in done),
            "not_recorded": None
            if done is None
            else [id_ for id_ in _ids(s.revision for s in ended if s not in done) if id_ != failed],
            "not_begun": _ids(each for each in left if not running or each is not running.revision),
        }

    def _steps(self, heads: Any, migration_context: MigrationContext) -> Iterator[PlannedStep]:
        """Yield the steps to Alembic, which asks for the next one after each commit."""
        plan = self._plan(heads)
        connection = migration_context.connection
        assert connection is not None  # noqa: S101 - only `--sql` has none, and doesn't come here
        migration_context.on_version_apply_callbacks = (
            self._row.require_kept,
            *migration_context.on_version_apply_callbacks,
        )
        watcher = self.context.watcher
        for step in plan.steps[len(plan.done) :]:
            self.context.canceller.check()
            self.lock.require_held()
            self.observer.blockers()  # forget those of the revision before
            number = len(plan.done) + 1
            self.running = Step(number, len(plan.steps), step.revision, self.direction)
            watcher.step(self.running)
            start = time.perf_counter()
            self._writer.begin_revision(connection)
            self.evidence.begin_revision(
                step.revision.revision,
                connection,
                transactional_ddl=migration_context.impl.transactional_ddl,
            )
            step.migration_fn = self.evidence.observed(step.function)
            step.moves_row = None if self.history.graph.is_alembics else self._row.expect
            yield step
            self.evidence.end_revision(connection)
            finished = replace(self.running, seconds=time.perf_counter() - start)
            self.running = None
            self._written[step.revision.revision] = self._row.written
            plan.done.append(finished)
            watcher.step(finished)
        self._writer.end()
        plan.after = rows_left(migration_context) if plan.steps else plan.before

    def _plan(self, heads: Any) -> _Plan:
        """Plan from `heads`, or take the plan of the first try: `+2` means two from there."""
        self._asked += 1
        if self._asked > len(self._plans):
            self.history = settled(self.context, self.history)
            self._plans.append(
                _Plan(tuple(heads), self._planner(self.history, self.target, tuple(heads)))
            )
        plan = self._plans[self._asked - 1]
        plan.after = None
        # If the whole run is one transaction, the try that failed has undone all its steps.
        plan.done = self.recorded(plan.done, heads)
        self._require_undone([step.revision for step in plan.steps[len(plan.done) :]], heads)
        return plan

    def _require_undone(self, left: Iterable[Revision], heads: Iterable[str]) -> None:
        """Raise LockLost when the `heads` show that another run has done what is `left` to do.

        It may do so between two tries if the lock is the migration session's, which ends with each.
        """
        applied, upgraded = self.history.applied(heads), self.direction == "upgrade"
        for revision in left:
            if (revision.revision in applied) == upgraded:
                raise LockLost(
                    f"Between two tries, when this run held no lock, another one has"
                    f" {'applied' if upgraded else 'undone'} {revision.title}.",
                    hint="run the command again.",
                )


def _ids(revisions: Iterable[Revision]) -> list[str]:
    return [revision.revision for revision in revisions]

"""One pass through `env.py`: the planned revisions, and what is known of them at each moment."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from .config import canceller_of, watcher_of
from .env_py import run_env
from .journal import Journal
from .loading import ScriptHistory, settled
from .lock import Lock
from .plan import Planner
from .planned_step import PlannedStep
from .results import Direction, Step
from .version_row import VersionRow


@dataclass
class _Plan:
    """What one database has to go through; an `env.py` of the template multidb opens several."""

    before: tuple[str, ...]
    steps: list[PlannedStep]
    done: list[Step] = field(default_factory=list)


class Execution:
    """The revisions that are `done`, the one that is `running`, and what it has committed."""

    def __init__(
        self,
        config: Config,
        history: ScriptHistory,
        direction: Direction,
        planner: Planner,
        target: str,
        lock: Lock,
    ) -> None:
        self.config = config
        self.history = history
        self.direction = direction
        self.target = target
        self.lock = lock
        self.journal = Journal()
        self.running: Step | None = None
        self._planner = planner
        self._plans: list[_Plan] = []
        self._asked = 0
        self._row = VersionRow()
        self._written: dict[str, int] = {}
        self._invalid_before = lock.invalid_indexes()

    @property
    def done(self) -> list[Step]:
        """The revisions that were committed."""
        return [step for plan in self._plans for step in plan.done]

    @property
    def before(self) -> tuple[str, ...]:
        """Where the database stood when the lock was got."""
        return tuple(dict.fromkeys(head for plan in self._plans for head in plan.before))

    @property
    def was_asked(self) -> bool:
        """Whether `env.py` has let Alembic ask for revisions."""
        return bool(self._asked)

    def run(self, tag: str | None) -> None:
        """Run what is planned from where the database stands; raises whatever a revision raises."""
        self.running = None
        self._asked = 0
        with self.journal.recording(), self._row.moving():
            run_env(
                self.config,
                self.history.script,
                self._steps,
                destination_rev=self.target,
                tag=tag,
            )

    def invalid_indexes(self) -> list[str]:
        """Return the invalid indexes that the run has left, by quoted name."""
        return sorted(self.lock.invalid_indexes() - self._invalid_before)

    def not_kept(self, heads: Iterable[str]) -> list[Step]:
        """Return the `done` steps whose rows were committed, and are not among `heads`."""
        recorded = self.recorded(self.done, heads)
        return [
            step
            for step in self.done
            if step not in recorded and self._written[step.revision.revision] <= self._row.committed
        ]

    def has_left_something(self) -> bool:
        """Tell whether the running revision has done what no rollback undoes."""
        return bool((self.running and self.journal.committed) or self.invalid_indexes())

    def recorded(self, steps: Iterable[Step], heads: Iterable[str]) -> list[Step]:
        """Return those of `steps` that were taken, as the version table's rows `heads` show."""
        applied, upgraded = self.history.applied(heads), self.direction == "upgrade"
        return [step for step in steps if (step.revision.revision in applied) == upgraded]

    def _steps(self, heads: Any, context: MigrationContext) -> Iterator[PlannedStep]:
        """Yield the steps to Alembic, which asks for the next when one is committed."""
        self.journal.begin_run(transactional_ddl=context.impl.transactional_ddl)
        plan = self._plan(heads)
        context.on_version_apply_callbacks = (
            self._row.require_kept,
            *context.on_version_apply_callbacks,
        )
        watcher = watcher_of(self.config)
        for step in plan.steps[len(plan.done) :]:
            canceller_of(self.config).check()
            self.lock.require_held()
            self.lock.blockers()  # those of the revision before are none of this one's
            number = len(plan.done) + 1
            self.running = Step(number, len(plan.steps), step.revision, self.direction)
            self.journal.begin_revision()
            watcher.step(self.running)
            start = time.perf_counter()
            step.moves_row = self._row.expect
            yield step
            finished = replace(self.running, seconds=time.perf_counter() - start)
            self.running = None
            self._written[step.revision.revision] = self._row.written
            plan.done.append(finished)
            watcher.step(finished)

    def _plan(self, heads: Any) -> _Plan:
        """Plan from `heads`, or take the plan of the try before: `+2` meant two from there."""
        self._asked += 1
        if self._asked > len(self._plans):
            self.history = settled(self.config, self.history)
            self._plans.append(_Plan(tuple(heads), self._planner(self.history, self.target, heads)))
        plan = self._plans[self._asked - 1]
        # With one transaction for the whole run, a try that failed has undone them all.
        plan.done = self.recorded(plan.done, heads)
        return plan

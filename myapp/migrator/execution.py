"""One pass through `env.py`: the planned revisions, and what is known of them at each moment."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep

from .config import settings_of, watcher_of
from .history import History, describe
from .journal import Journal
from .lock import Lock
from .results import Direction, Step

Planner = Callable[[History, str, Sequence[str]], list[RevisionStep]]


@dataclass
class Execution:
    """The revisions that are `done`, the one that is `running`, and what it has committed."""

    config: Config
    history: History
    direction: Direction
    planner: Planner
    target: str
    lock: Lock
    journal: Journal = field(default_factory=Journal)
    done: list[Step] = field(default_factory=list)
    running: Step | None = None
    transactional_ddl: bool = True

    def run(self, tag: str | None) -> None:
        """Run what is planned from where the database stands; raises whatever a revision raises."""
        script = self.history.script
        self.running = None
        environment = EnvironmentContext(
            self.config, script, fn=self._steps, destination_rev=self.target, tag=tag
        )
        with ExitStack() as stack:
            stack.enter_context(self.journal.recording())
            stack.enter_context(environment)
            script.run_env()

    def forget_rolled_back(self) -> None:
        """Count the revisions as not done that a rollback of the whole run has undone."""
        if settings_of(self.config).options.single_transaction:
            self.done.clear()

    def committed(self) -> list[str]:
        """Return the statements of the running revision that no rollback undoes."""
        return self.journal.committed(transactional_ddl=self.transactional_ddl)

    def _steps(self, heads: Any, context: MigrationContext) -> Iterator[RevisionStep]:
        """Yield the steps to Alembic, which asks for the next when one is committed."""
        self.transactional_ddl = context.impl.transactional_ddl
        plan = self.planner(self.history, self.target, heads)
        watcher = watcher_of(self.config)
        total = len(self.done) + len(plan)
        for step in plan:
            self.lock.require_held()
            number = len(self.done) + 1
            self.running = Step(number, total, describe(step.revision), self.direction)
            self.journal.begin_revision()
            watcher.step(self.running)
            start = time.perf_counter()
            yield step
            finished = replace(self.running, seconds=time.perf_counter() - start)
            self.running = None
            self.done.append(finished)
            watcher.step(finished)

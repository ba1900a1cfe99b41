"""Upgrade and downgrade: run the planned revisions, tell of each, and say where it ended."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy.exc import DBAPIError

from .database import read_each, read_heads, shared_engine, union
from .errors import (
    DatabaseUnreachable,
    HalfApplied,
    HistoryError,
    Interrupted,
    MigrateError,
    MigrationFailed,
)
from .failures import environment_failed, is_read_only, reason_of, what_to_do, where_in
from .history import History, describe, load_history, standing
from .interruption import cancelling_statements
from .journal import Journal
from .plan import Planner, is_past, plan_downgrade, plan_upgrade
from .results import Direction, Run, Step

Progress = Callable[[Step], None]


def upgrade(
    config: Config,
    target: str = "heads",
    *,
    tag: str | None = None,
    progress: Progress = lambda step: None,
) -> Run:
    """Upgrade the database to `target`, each revision in its own transaction.

    `progress` is called before and after each revision.

    Raises MigrationFailed or HalfApplied when a revision fails, and what `plan.plan_upgrade` and
    `database.read_heads` raise before anything is changed.
    """
    return _run(config, "upgrade", plan_upgrade, target, tag, progress)


def downgrade(
    config: Config,
    target: str,
    *,
    tag: str | None = None,
    progress: Progress = lambda step: None,
) -> Run:
    """Downgrade the database to `target`; raises what `upgrade` raises."""
    return _run(config, "downgrade", plan_downgrade, target, tag, progress)


def _run(
    config: Config,
    direction: Direction,
    planner: Planner,
    target: str,
    tag: str | None,
    progress: Progress,
) -> Run:
    history = load_history(config)
    with shared_engine(config):
        each = read_each(config, history.script)
        before = union(each)
        plans = [planner(history, target, heads) for heads in each]
        if not any(plans):
            past = direction == "upgrade" and is_past(history, target, before)
            return Run(direction, target, before, before, (), past, standing(history, before))
        execution = _Execution(config, history, direction, planner, target, progress)
        execution.run(tag)
        after = read_heads(config, history.script)
        execution.require_recorded(before, after)
        return Run(
            direction,
            target,
            before,
            after,
            tuple(execution.done),
            False,
            standing(history, after),
        )


@dataclass
class _Execution:
    """One run through `env.py`, and what is known of it at each moment."""

    config: Config
    history: History
    direction: Direction
    planner: Planner
    target: str
    progress: Progress
    journal: Journal = field(default_factory=Journal)
    done: list[Step] = field(default_factory=list)
    running: Step | None = None
    was_asked: bool = False

    def run(self, tag: str | None) -> None:
        script = self.history.script
        environment = EnvironmentContext(
            self.config, script, fn=self._steps, destination_rev=self.target, tag=tag
        )
        try:
            with ExitStack() as stack:
                stack.enter_context(self.journal.recording())
                stack.enter_context(cancelling_statements())
                stack.enter_context(environment)
                script.run_env()
        except KeyboardInterrupt as interrupt:
            raise self._interrupted(interrupt) from None
        except BaseException as error:
            if self.running:
                raise self._failed(self.running, error) from error
            if self.done:
                raise self._failed_afterwards(error) from error
            raise environment_failed(error) from error

    def _steps(self, heads: Any, context: MigrationContext) -> Iterator[RevisionStep]:
        """Yield the steps to Alembic, which asks for the next when one is committed."""
        self.was_asked = True
        self.journal.begin_run(transactional_ddl=context.impl.transactional_ddl)
        plan = self.planner(self.history, self.target, heads)
        for number, step in enumerate(plan, 1):
            started = Step(number, len(plan), describe(step.revision), self.direction)
            self.running = started
            self.journal.begin_revision()
            self.progress(started)
            start = time.perf_counter()
            yield step
            finished = Step(
                number,
                len(plan),
                started.revision,
                self.direction,
                time.perf_counter() - start,
            )
            self.running = None
            self.done.append(finished)
            self.progress(finished)

    def require_recorded(self, before: Sequence[str], after: Sequence[str]) -> None:
        """Raise when `env.py` reported success, and the version table tells otherwise.

        It ran nothing; or it opened a transaction before `context.configure()`, which nobody
        commits; or a revision commits by itself, which ends the transaction that records it.
        """
        if not self.was_asked:
            raise HistoryError(
                "env.py ended without running any revision: the database still stands at"
                f" {standing(self.history, after)}.",
                hint="let env.py call `context.run_migrations()`.",
            )
        if self.running:
            raise MigrationFailed(
                f"env.py reported success, but revision {self.running.revision.title} did not end:"
                f" the database stands at {standing(self.history, after)}.",
                hint="let env.py catch nothing that `context.run_migrations()` raises.",
                heads=list(after),
            )
        applied, upgraded = self.history.applied(after), self.direction == "upgrade"
        lost = [s for s in self.done if (s.revision.revision in applied) != upgraded]
        if not lost:
            return
        stands = f"the database stands at {standing(self.history, after)}."
        step = lost[-1]
        if stays := self._stays(step):
            raise HalfApplied(
                f"Revision {step.revision.title} ran and is not recorded, because it commits by"
                f" itself: {stands}{stays}",
                hint=f"take the commit out of {step.revision.path}, and undo that by hand; or, if"
                f" it is all of the revision, type `{{cmd}} stamp {step.revision.revision}`.",
                revision=step.revision.revision,
                path=step.revision.path,
                heads=list(after),
                committed=self.journal.committed,
            )
        raise MigrationFailed(
            f"env.py reported success, but nothing was committed: {stands}",
            hint="in env.py, run no statement on the connection before `context.configure()`, or"
            " commit it.",
            heads=list(after),
        )

    def _failed(self, step: Step, error: BaseException) -> MigrateError:
        if isinstance(error, DBAPIError) and is_read_only(error):
            return environment_failed(error)
        title, reason = step.revision.title, reason_of(error)
        details = {"revision": step.revision.revision, "path": step.revision.path}
        standing, heads = self._standing()
        if stays := self._stays(step):
            return HalfApplied(
                f"Revision {title} failed outside a transaction: {reason}.\n{standing}{stays}",
                hint=f"undo that by hand or mend the rest of {where_in(step.revision, error)},"
                " then run the command again.",
                **details,
                heads=heads,
                committed=self.journal.committed,
            )
        if heads is None:
            return DatabaseUnreachable(
                f"Revision {title} failed: {reason}.\n{standing}",
                hint="when the database is back, `{cmd} current` tells where it stands.",
            )
        return MigrationFailed(
            f"Revision {title} failed and was rolled back: {reason}.\n{standing}",
            hint=what_to_do(step.revision, error),
            **details,
            heads=heads,
        )

    def _failed_afterwards(self, error: BaseException) -> MigrateError:
        standing, heads = self._standing()
        return MigrationFailed(
            f"env.py failed when all revisions had run: {reason_of(error)}.\n{standing}",
            hint="mend env.py; `--traceback` before CONFIG_URI shows the way there.",
            heads=heads,
        )

    def _interrupted(self, interrupt: KeyboardInterrupt) -> MigrateError:
        number = int(interrupt.args[0]) if interrupt.args else signal.SIGINT
        what = "Terminated" if number == signal.SIGTERM else "Interrupted"
        standing, heads = self._standing()
        step = self.running
        where = f"in revision {step.revision.title}" if step else "between revisions"
        return Interrupted(
            f"{what} {where}. {standing}{self._stays(step) if step else ''}",
            exit_code=128 + number,
            heads=heads,
        )

    def _stays(self, step: Step) -> str:
        """Say what of the running revision a rollback has not undone."""
        listed = "".join(f"\n  {statement}" for statement in self.journal.committed)
        intro = f" Of {step.revision.revision}, this was committed and stays:"
        return f"{intro}{listed}" if listed else ""

    def _standing(self) -> tuple[str, list[str] | None]:
        """Say where the database stands now, as far as it can still be asked."""
        try:
            heads = read_heads(self.config, self.history.script)
        except MigrateError as error:
            return f"Where the database stands can't be told: {error.message}", None
        return f"The database stands at {standing(self.history, heads)}.", list(heads)

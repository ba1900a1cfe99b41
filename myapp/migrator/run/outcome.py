"""The error of a run that failed: what stays, where the database stands, and what to do."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from ..base.canceller import ended_by
from ..base.errors import (
    DatabaseUnreachable,
    HalfApplied,
    Interrupted,
    LockLost,
    MigrateError,
    MigrationFailed,
)
from ..base.results import Step, VersionTable
from ..bridge.context import RunContext
from ..bridge.env_failures import environment_failed
from ..bridge.loading import ScriptHistory
from ..bridge.version_table import read_each
from ..database.diagnostics import said_besides
from ..database.failures import RETRYABLE, described, error_code, is_read_only, reason_of
from ..revisions import answers
from ..settings.redaction import redacted
from .execution import Execution
from .index_check import IndexInTheWay
from .leftovers import Leftovers
from .recording import details, row_not_kept
from .remedies import remedy, what_to_do, where_in
from .self_block import CURE, TOLD


class Now:
    """Where the databases stand once a run has ended. They are asked at the first use."""

    def __init__(self, context: RunContext, history: ScriptHistory) -> None:
        self._context = context
        self._history = history
        self._error: MigrateError | None = None
        self._tables: tuple[VersionTable, ...] | None = None
        self._was_asked = False

    @property
    def tables(self) -> tuple[VersionTable, ...] | None:
        """The version tables, None when a database doesn't answer."""
        if not self._was_asked:
            self._was_asked = True
            try:
                self._tables = read_each(self._context, self._history.script, has_run=True)
            except MigrateError as error:
                self._error = error
        return self._tables

    @property
    def where(self) -> str:
        """A sentence about where the databases stand."""
        if self.tables is None:
            assert self._error is not None  # noqa: S101 - it is why nothing is known
            return f"Where the database stands can't be told: {self._error.message}"
        return answers.where(self._history, self.tables)

    @property
    def known(self) -> tuple[VersionTable, ...] | None:
        """The version tables, if they have been asked for already."""
        return self._tables


def failure(execution: Execution, error: BaseException) -> MigrateError:
    """Return the error for `error`, which ended `execution`, and say how far the run came."""
    now = Now(execution.context, execution.history)
    told = _failure(execution, now, error)
    told.add_details(details(execution.history, now.known, execution.table))
    told.add_details(execution.progress.told(now.known, told.details.get("revision")))
    return told


def _failure(execution: Execution, now: Now, error: BaseException) -> MigrateError:
    if isinstance(error, KeyboardInterrupt) or execution.context.canceller.signal:
        return _interrupted(execution, now, error)
    if isinstance(error, LockLost):
        return LockLost(f"{error.message}\n{_left(execution, now)}", hint=error.hint)
    step = execution.running
    if step is None:
        return _failed_between(execution, now, error)
    return _failed(execution, now, step, error)


@contextmanager
def interruptible(context: RunContext, history: ScriptHistory) -> Iterator[None]:
    """Turn a signal that comes within, while no revision runs, into an error.

    At the end the work is marked as finished; later signals are ignored.

    Raises Interrupted.
    """
    try:
        yield
        context.canceller.finish()
    except KeyboardInterrupt as interrupt:
        what, exit_code = _signal(context, interrupt)
        now = Now(context, history)
        told = Interrupted(f"{what}. {now.where}", exit_code=exit_code)
        told.add_details(details(history, now.known, None))
        raise told from None


def _left(execution: Execution, now: Now) -> str:
    """Return where the databases stand, and how many finished revisions were rolled back."""
    where, tables = now.where, now.tables
    if tables is None:
        return where
    undone = len(execution.done) - len(execution.progress.recorded(tables))
    undone -= len(execution.progress.not_kept(tables))
    if undone:
        count = (
            "1 revision that had run was"
            if undone == 1
            else f"{undone} revisions that had run were"
        )
        how = "The run was one transaction, so" if len(tables) == 1 else "Together with it,"
        where = f"{how} {count} rolled back.\n{where}"
    return where


def _failed(execution: Execution, now: Now, step: Step, error: BaseException) -> MigrateError:
    title, reason = step.title, reason_of(error)
    where, tables = _left(execution, now), now.tables
    left = execution.leftovers(tables)
    besides, todo = said_besides(error), what_to_do(step, error, execution.context)
    if execution.self_block.caused(error):
        besides += f"\n{TOLD}"
        todo = f"{CURE}: fix {where_in(step.revision, error)}, then run the command again."
    elif error_code(error) in RETRYABLE:
        besides += "".join(f"\nBlocked by {blocker}." for blocker in execution.observer.blockers())
    details = {"revision": step.revision.revision, "path": step.revision.path}
    if tables is not None and (not_kept := execution.progress.not_kept(tables)):
        where = f"{where[0].lower()}{where[1:]}{left or f' Revision {title} was rolled back.'}"
        return row_not_kept(not_kept[-1], where)
    if tables is not None and execution.progress.is_recorded(tables):
        return MigrationFailed(
            f"Revision {title} was committed, and then the run failed: {reason}.{besides}\n{where}",
            hint=todo,
            **details,
        )
    if left and (tables is not None or left.are_known):
        how = "failed and may have left something"
        if left.are_known:
            how = "failed outside a transaction"
        if isinstance(error, IndexInTheWay):
            how = "can't be applied"
        return HalfApplied(
            f"Revision {title} {how}: {reason}.{besides}\n{where}{left}",
            hint=_repair(step, error, left, blocks_itself=execution.self_block.caused(error)),
            **details,
            **left.details,
            failed=" ".join(redacted(str(getattr(error, "statement", None) or "")).split()) or None,
        )
    if tables is None:
        # That nothing can be asked is said already.
        what = replace(left, invalid=left.invalid or ()) if left else ""
        return DatabaseUnreachable(
            f"Revision {title} failed: {reason}.{besides}\n{where}{what}",
            hint="when the database is back, `{cmd} current` tells where it stands.",
            retryable=True,
            revision=step.revision.revision,
            path=step.revision.path,
        )
    if is_read_only(error):
        told = environment_failed(error)
        told.message += f"\n{where}" if execution.done else ""
        return told
    return MigrationFailed(
        f"Revision {title} failed and was rolled back: {reason}.{besides}\n{where}",
        hint=todo,
        **details,
    )


def _failed_between(execution: Execution, now: Now, error: BaseException) -> MigrateError:
    is_lost = isinstance(error, DBAPIError | DatabaseUnreachable)
    if not execution.done:
        return environment_failed(error)
    if isinstance(error, MigrateError) and not is_lost:
        ran = len(execution.done)
        error.message = (
            f"{ran} revision{'s' * (ran > 1)} ran to the end, and then the run failed:"
            f" {error.message}"
        )
        return error
    where, tables = _left(execution, now), now.tables
    last, left = execution.done[-1], execution.leftovers(tables)
    if left and tables is not None and last not in execution.progress.recorded(tables):
        return HalfApplied(
            f"The run failed after revision {last.title}: {reason_of(error)}."
            f"{said_besides(error)}\n{where}{left}",
            hint=_repair(last, error, left),
            revision=last.revision.revision,
            path=last.revision.path,
            **left.details,
        )
    if is_lost:
        told = environment_failed(error)
        message = f"The run ended between revisions. {told.message}\n{where}"
        if tables is None:
            return DatabaseUnreachable(message, hint=told.hint, retryable=True)
        return MigrationFailed(message, hint=told.hint)
    return MigrationFailed(
        f"env.py failed when all revisions had run: {described(error)}.\n{where}",
        hint="fix env.py; `--traceback` before CONFIG_URI shows the way there.",
    )


def _interrupted(execution: Execution, now: Now, error: BaseException) -> MigrateError:
    what, exit_code = _signal(execution.context, error)
    step = execution.running
    where, tables = _left(execution, now), now.tables
    left = execution.leftovers(tables)
    if step and tables is not None and execution.progress.is_recorded(tables):
        left = None  # all of the revision is committed
    during = f"in revision {step.title}" if step else "between revisions"
    return Interrupted(
        f"{what} {during}. {where}{left or ''}",
        exit_code=exit_code,
        hint=f"{'; '.join(left.todo(step.revision.path))}; then run the command again."
        if left and step
        else None,
        revision=step.revision.revision if step else None,
        path=step.revision.path if step else None,
        **(left.details if left else {"committed": [], "more_committed": 0, "invalid_indexes": []}),
    )


def _signal(context: RunContext, error: BaseException) -> tuple[str, int]:
    number = context.canceller.signal or (int(error.args[0]) if error.args else signal.SIGINT)
    return ended_by(number), 128 + number


def _repair(
    step: Step, error: BaseException, left: Leftovers, *, blocks_itself: bool = False
) -> str:
    todo = left.todo(step.revision.path)
    if blocks_itself:
        todo.append(f"{CURE}: fix {where_in(step.revision, error)}")
    elif error_code(error) in RETRYABLE:
        todo.append("wait until the other session has ended")
    elif not isinstance(error, IndexInTheWay) and (
        where_in(step.revision, error) != step.revision.path
    ):
        todo.append(remedy(error) or f"fix the cause in {where_in(step.revision, error)}")
    return f"{'; '.join(todo)}; then run the command again."

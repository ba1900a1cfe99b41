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
from ..base.results import Step
from ..bridge.context import RunContext
from ..bridge.env_failures import environment_failed
from ..bridge.loading import ScriptHistory
from ..bridge.version_table import read_heads
from ..database.failures import RETRYABLE, described, error_code, is_read_only, reason_of
from ..revisions.history import standing
from ..settings.redaction import redacted
from .execution import Execution
from .leftovers import Leftovers
from .recording import row_not_kept
from .remedies import remedy, what_to_do, where_in


def failure(execution: Execution, error: BaseException) -> MigrateError:
    """Return the error for `error`, which ended `execution`, and say how far the run came."""
    told = _failure(execution, error)
    heads, failed = told.details.get("heads"), told.details.get("revision")
    told.add_details(execution.progress(heads, failed))
    return told


def _failure(execution: Execution, error: BaseException) -> MigrateError:
    if isinstance(error, KeyboardInterrupt) or execution.context.canceller.signal:
        return _interrupted(execution, error)
    if isinstance(error, LockLost):
        where, heads = _left(execution)
        return LockLost(f"{error.message}\n{where}", hint=error.hint, heads=heads)
    step = execution.running
    if step is None:
        return _failed_between(execution, error)
    return _failed(execution, step, error)


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
        where, heads = stands(context, history)
        raise Interrupted(f"{what}. {where}", exit_code=exit_code, heads=heads) from None


def stands(context: RunContext, history: ScriptHistory) -> tuple[str, list[str] | None]:
    """Return a sentence about where the database stands now, and the version table's rows.

    The rows are None when the database doesn't answer.
    """
    try:
        heads = read_heads(context, history.script, has_run=True)
    except MigrateError as error:
        return f"Where the database stands can't be told: {error.message}", None
    return f"The database stands at {standing(history, heads)}.", list(heads)


def _left(execution: Execution) -> tuple[str, list[str] | None]:
    """Return what `stands` returns, and say how many finished revisions were rolled back."""
    where, heads = stands(execution.context, execution.history)
    if heads is None:
        return where, None
    undone = len(execution.done) - len(execution.recorded(execution.done, heads))
    undone -= len(execution.not_kept(heads))
    if undone:
        count = (
            "1 revision that had run was"
            if undone == 1
            else f"{undone} revisions that had run were"
        )
        where = f"The run was one transaction, so {count} rolled back.\n{where}"
    return where, heads


def _failed(execution: Execution, step: Step, error: BaseException) -> MigrateError:
    title, reason = step.revision.title, reason_of(error)
    where, heads = _left(execution)
    left = execution.leftovers(heads)
    blocked = ""
    if error_code(error) in RETRYABLE:
        blocked = "".join(f"\nBlocked by {blocker}." for blocker in execution.observer.blockers())
    details = {"revision": step.revision.revision, "path": step.revision.path, "heads": heads}
    if heads is not None and (not_kept := execution.not_kept(heads)):
        where = f"{where[0].lower()}{where[1:]}{left or f' Revision {title} was rolled back.'}"
        return row_not_kept(not_kept[-1], where, heads)
    if heads is not None and execution.recorded([step], heads):
        return MigrationFailed(
            f"Revision {title} was committed, and then the run failed: {reason}.\n{where}",
            hint=what_to_do(step.revision, error),
            **details,
        )
    if left and (heads is not None or left.are_known):
        how = "outside a transaction" if left.are_known else "and may have left something"
        return HalfApplied(
            f"Revision {title} failed {how}: {reason}.{blocked}\n{where}{left}",
            hint=_repair(step, error, left),
            **details,
            **left.details,
            failed=" ".join(redacted(str(getattr(error, "statement", None) or "")).split()) or None,
        )
    if heads is None:
        # That nothing can be asked is said already.
        what = replace(left, invalid=left.invalid or ()) if left else ""
        return DatabaseUnreachable(
            f"Revision {title} failed: {reason}.\n{where}{what}",
            hint="when the database is back, `{cmd} current` tells where it stands.",
            revision=step.revision.revision,
            path=step.revision.path,
        )
    if is_read_only(error):
        told = environment_failed(error)
        told.message += f"\n{where}" if execution.done else ""
        return told
    return MigrationFailed(
        f"Revision {title} failed and was rolled back: {reason}.{blocked}\n{where}",
        hint=what_to_do(step.revision, error),
        **details,
    )


def _failed_between(execution: Execution, error: BaseException) -> MigrateError:
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
    where, heads = _left(execution)
    last, left = execution.done[-1], execution.leftovers(heads)
    if left and heads is not None and not execution.recorded([last], heads):
        revision = last.revision
        return HalfApplied(
            f"The run failed after revision {revision.title}: {reason_of(error)}.\n{where}{left}",
            hint=_repair(last, error, left),
            revision=revision.revision,
            path=revision.path,
            heads=heads,
            **left.details,
        )
    if is_lost:
        told = environment_failed(error)
        message = f"The run ended between revisions. {told.message}\n{where}"
        if heads is None:
            return DatabaseUnreachable(message, hint=told.hint)
        return MigrationFailed(message, hint=told.hint, heads=heads)
    return MigrationFailed(
        f"env.py failed when all revisions had run: {described(error)}.\n{where}",
        hint="fix env.py; `--traceback` before CONFIG_URI shows the way there.",
        heads=heads,
    )


def _interrupted(execution: Execution, error: BaseException) -> MigrateError:
    what, exit_code = _signal(execution.context, error)
    step = execution.running
    where, heads = _left(execution)
    left = execution.leftovers(heads)
    if step and heads is not None and execution.recorded([step], heads):
        left = None  # all of the revision is committed
    during = f"in revision {step.revision.title}" if step else "between revisions"
    return Interrupted(
        f"{what} {during}. {where}{left or ''}",
        exit_code=exit_code,
        hint=f"{'; '.join(left.todo(step.revision.path))}; then run the command again."
        if left and step
        else None,
        revision=step.revision.revision if step else None,
        path=step.revision.path if step else None,
        heads=heads,
        **(left.details if left else {"committed": [], "more_committed": 0, "invalid_indexes": []}),
    )


def _signal(context: RunContext, error: BaseException) -> tuple[str, int]:
    number = context.canceller.signal or (int(error.args[0]) if error.args else signal.SIGINT)
    return ended_by(number), 128 + number


def _repair(step: Step, error: BaseException, left: Leftovers) -> str:
    todo = left.todo(step.revision.path)
    if error_code(error) in RETRYABLE:
        todo.append("wait until the other session has ended")
    elif where_in(step.revision, error) != step.revision.path:
        todo.append(remedy(error) or f"see to what failed in {where_in(step.revision, error)}")
    return f"{'; '.join(todo)}; then run the command again."

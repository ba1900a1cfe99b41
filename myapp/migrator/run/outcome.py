"""What to say when a run did not get through: what stays, where the database stands, what to do."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from ..base.canceller import ended_by
from ..base.errors import (
    DatabaseUnreachable,
    HalfApplied,
    HistoryError,
    Interrupted,
    LockLost,
    MigrateError,
    MigrationFailed,
)
from ..base.results import Step
from ..bridge.configuration import canceller_of
from ..bridge.env_failures import environment_failed
from ..bridge.version_table import read_heads
from ..database.failures import RETRYABLE, described, error_code, is_read_only, reason_of
from ..revisions.history import History, standing
from ..settings.redaction import redacted
from .execution import Execution
from .leftovers import Leftovers
from .remedies import remedy, what_to_do, where_in


def failure(execution: Execution, error: BaseException) -> MigrateError:
    """Return the error that tells of `error`, which ended `execution`."""
    if isinstance(error, KeyboardInterrupt) or canceller_of(execution.config).signal:
        return _interrupted(execution, error)
    if isinstance(error, LockLost):
        where, heads = _left(execution)
        return LockLost(f"{error.message}\n{where}", hint=error.hint, heads=heads)
    step = execution.running
    if step is None:
        return _failed_between(execution, error)
    return _failed(execution, step, error)


@contextmanager
def interruptible(config: Config, history: History) -> Iterator[None]:
    """Let a signal that comes within, while no revision runs, end in an error that tells it.

    With the end of it, all is done, and a signal that comes later stops nothing more.

    Raises Interrupted.
    """
    try:
        yield
        canceller_of(config).finish()
    except KeyboardInterrupt as interrupt:
        what, exit_code = _signal(config, interrupt)
        where, heads = stands(config, history)
        raise Interrupted(f"{what}. {where}", exit_code=exit_code, heads=heads) from None


def require_recorded(execution: Execution, after: Sequence[str]) -> None:
    """Raise when `env.py` reported success, and the version table, at `after`, tells otherwise.

    It ran nothing; or it opened a transaction before `context.configure()`, which nobody commits;
    or a revision commits by itself, which ends the transaction that records it.
    """
    where = f"the database stands at {standing(execution.history, after)}."
    if not execution.was_asked:
        raise HistoryError(
            f"env.py ended without running any revision: {where}",
            hint="let env.py call `context.run_migrations()`.",
        )
    if execution.running and (left := execution.leftovers(after)):
        raise HalfApplied(
            f"env.py reported success, but revision {execution.running.revision.title} did not end:"
            f" {where}{left}",
            hint=f"let env.py catch nothing that `context.run_migrations()` raises;"
            f" {'; '.join(left.todo(execution.running.revision.path))}.",
            revision=execution.running.revision.revision,
            path=execution.running.revision.path,
            heads=list(after),
            **left.details,
        )
    if execution.running:
        raise MigrationFailed(
            f"env.py reported success, but revision {execution.running.revision.title} did not end:"
            f" {where}",
            hint="let env.py catch nothing that `context.run_migrations()` raises.",
            heads=list(after),
        )
    recorded = execution.recorded(execution.done, after)
    if len(recorded) == len(execution.done):
        return
    lost = [step for step in execution.done if step not in recorded]
    revision = lost[-1].revision
    left = execution.leftovers_of(lost[-1], after)
    if left.committed:
        raise HalfApplied(
            f"Revision {revision.title} ran and is not recorded, because it commits by itself:"
            f" {where}{left}",
            hint=f"take the commit out of {revision.path}, and undo that by hand; or, if it is all"
            f" of the revision, type `{{cmd}} stamp {revision.revision}`.",
            revision=revision.revision,
            path=revision.path,
            heads=list(after),
            **left.details,
        )
    if not_kept := execution.not_kept(after):
        raise _not_kept(not_kept[-1], where, list(after))
    raise MigrationFailed(
        f"env.py reported success, but nothing was committed: {where}",
        hint="in env.py, run no statement on the connection before `context.configure()`, or commit"
        " it.",
        heads=list(after),
    )


def stands(config: Config, history: History) -> tuple[str, list[str] | None]:
    """Say where the database stands now, as far as it can still be asked."""
    try:
        heads = read_heads(config, history.script, has_run=True)
    except MigrateError as error:
        return f"Where the database stands can't be told: {error.message}", None
    return f"The database stands at {standing(history, heads)}.", list(heads)


def _left(execution: Execution) -> tuple[str, list[str] | None]:
    """Say where a run has left the database, and what of it was undone that was told as done."""
    where, heads = stands(execution.config, execution.history)
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


def _not_kept(step: Step, where: str, heads: list[str]) -> HalfApplied:
    revision = step.revision
    return HalfApplied(
        f"Revision {revision.title} was committed, and the version table has not kept its row:"
        f" {where}",
        hint="take the trigger, rule or policy off the version table that drops it, and type"
        f" `{{cmd}} stamp {revision.revision}`: all of the revision is there.",
        revision=revision.revision,
        path=revision.path,
        heads=heads,
    )


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
        return _not_kept(not_kept[-1], where, heads)
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
        return DatabaseUnreachable(
            f"Revision {title} failed: {reason}.\n{where}{left or ''}",
            hint="when the database is back, `{cmd} current` tells where it stands.",
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
        kind = DatabaseUnreachable if heads is None else MigrationFailed
        return kind(
            f"The run ended between revisions. {told.message}\n{where}", hint=told.hint, heads=heads
        )
    return MigrationFailed(
        f"env.py failed when all revisions had run: {described(error)}.\n{where}",
        hint="mend env.py; `--traceback` before CONFIG_URI shows the way there.",
        heads=heads,
    )


def _interrupted(execution: Execution, error: BaseException) -> MigrateError:
    what, exit_code = _signal(execution.config, error)
    step = execution.running
    where, heads = _left(execution)
    left = execution.leftovers(heads)
    if step and heads is not None and execution.recorded([step], heads):
        left = None  # it is all there
    during = f"in revision {step.revision.title}" if step else "between revisions"
    return Interrupted(
        f"{what} {during}. {where}{left or ''}",
        exit_code=exit_code,
        hint=f"{'; '.join(left.todo(step.revision.path))}; then run the command again."
        if left and step
        else None,
        heads=heads,
        **(left.details if left else {"committed": [], "more_committed": 0, "invalid_indexes": []}),
    )


def _signal(config: Config, error: BaseException) -> tuple[str, int]:
    number = canceller_of(config).signal or (int(error.args[0]) if error.args else signal.SIGINT)
    return ended_by(number), 128 + number


def _repair(step: Step, error: BaseException, left: Leftovers) -> str:
    todo = left.todo(step.revision.path)
    if error_code(error) in RETRYABLE:
        todo.append("wait until the other session has ended")
    elif where_in(step.revision, error) != step.revision.path:
        todo.append(remedy(error) or f"see to what failed in {where_in(step.revision, error)}")
    return f"{'; '.join(todo)}; then run the command again."

"""What to say when a run did not get through: what stays, where the database stands, what to do."""

import traceback
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from .database import read_heads
from .errors import HalfApplied, Interrupted, LockLost, MigrateError, MigrationFailed
from .execution import Execution
from .failures import environment_failed, first_line
from .history import standing
from .results import Step


def failure(
    execution: Execution, error: BaseException, invalid_before: frozenset[str], signal: int | None
) -> MigrateError:
    """Return the error that tells of `error`, which ended `execution`."""
    where, heads = stands(execution)
    if isinstance(error, KeyboardInterrupt) or signal is not None:
        return _interrupted(execution, where, heads, signal)
    if isinstance(error, LockLost):
        return LockLost(f"{error.message}\n{where}", hint=error.hint, heads=heads)
    step = execution.running
    if step is None or isinstance(error, MigrateError):
        return environment_failed(error)
    title, reason = step.revision.title, _reason(error)
    details = {"revision": step.revision.revision, "path": step.revision.path, "heads": heads}
    if committed := execution.committed():
        left = sorted(execution.lock.invalid_indexes() - invalid_before)
        return HalfApplied(
            f"Revision {title} failed outside a transaction: {reason}.\n{where}"
            f" Of {step.revision.revision}, this was committed and stays:{_listed(committed)}"
            f"{_invalid(left)}",
            hint=_repair(step, error, left),
            **details,
            committed=committed,
            failed=_statement(error),
            invalid_indexes=left,
        )
    return MigrationFailed(
        f"Revision {title} failed and was rolled back: {reason}.\n{where}",
        hint=f"mend {_where(step, error)}, then run the command again.",
        **details,
    )


def stands(execution: Execution) -> tuple[str, list[str] | None]:
    """Say where the database stands now, as far as it can still be asked."""
    try:
        heads = read_heads(execution.config, execution.history.script)
    except MigrateError as error:
        return f"Where the database stands can't be told: {error.message}", None
    return f"The database stands at {standing(execution.history, heads)}.", list(heads)


def _interrupted(
    execution: Execution, where: str, heads: list[str] | None, signal: int | None
) -> MigrateError:
    step = execution.running
    committed = execution.committed() if step else []
    what = f"in revision {step.revision.title}" if step else "between revisions"
    stays = ""
    if committed and step:
        stays = f" Of {step.revision.revision}, this was committed and stays:{_listed(committed)}"
    return Interrupted(
        f"Interrupted {what}. {where}{stays}",
        exit_code=128 + (signal or 2),
        heads=heads,
        committed=committed,
    )


def _listed(statements: Sequence[str]) -> str:
    return "".join(f"\n  {statement}" for statement in statements)


def _invalid(indexes: Sequence[str]) -> str:
    return f"\nInvalid, and of no use to queries: index {', '.join(indexes)}." if indexes else ""


def _repair(step: Step, error: BaseException, invalid: Sequence[str]) -> str:
    drops = "".join(f"`DROP INDEX CONCURRENTLY {index};` " for index in invalid)
    return (
        f"{f'run {drops}, ' if drops else ''}undo by hand what was committed or let"
        f" {_where(step, error)} skip it, then run the command again."
    )


def _reason(error: BaseException) -> str:
    reason = first_line(error)
    statement = _statement(error)
    if statement:
        shown = f"{statement[:150]}{'...' if len(statement) > 150 else ''}"
        return f"{reason} (in: {shown})"
    if isinstance(error, DBAPIError):
        return reason
    return f"{type(error).__name__}: {reason}" if str(error) else type(error).__name__


def _statement(error: BaseException) -> str:
    return " ".join(str(getattr(error, "statement", None) or "").split())


def _where(step: Step, error: BaseException) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == step.revision.path:
            return f"{step.revision.path} (line {frame.lineno})"
    return step.revision.path

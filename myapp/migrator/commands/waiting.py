"""Wait until another process has migrated the database."""

import time

from ..base.attempts import attempts
from ..base.errors import DatabaseUnreachable, MigrateError, PendingMigrations
from ..base.results import CurrentRevisions
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.version_table import read_each
from ..revisions import answers

#: How many seconds the last look has, even if less time is left.
_LEAST = 1.0


def wait(
    context: RunContext, timeout: float, *, allow_ahead: bool = False, began: float | None = None
) -> CurrentRevisions:
    """Wait up to `timeout` seconds until each database is at the code's heads.

    For containers of the application that start beside the one that migrates. With `allow_ahead`,
    a database at a revision that the code lacks counts as there. The time counts from `began` on,
    a moment of `time.monotonic()`; by default, that is now.

    Raises PendingMigrations or DatabaseUnreachable when it isn't in time, DatabaseAhead at once.
    """
    began = time.monotonic() if began is None else began
    deadline = began + timeout
    history = load_history(context)
    told = None
    with shared_engine(context):
        for is_last in attempts(deadline - time.monotonic()):
            seconds = max(deadline - time.monotonic(), _LEAST)
            found = _look(context, history, allow_ahead, seconds)
            if isinstance(found, CurrentRevisions):
                return found
            if is_last or time.monotonic() >= deadline:
                if timeout:
                    found.message += f"\nWaited {_seconds(time.monotonic() - began)}."
                raise found
            # Only the first line counts: the rest says how long another session has held a lock.
            if found.message.partition("\n")[0] != told:
                told = found.message.partition("\n")[0]
                context.watcher.notice(f"waiting. {told}")
    raise AssertionError("attempts() ends with a last one")


def _seconds(waited: float) -> str:
    return f"{waited:.{0 if waited >= 9.5 else 1}f} seconds"


def _look(
    context: RunContext, history: ScriptHistory, allow_ahead: bool, seconds: float
) -> CurrentRevisions | MigrateError:
    try:
        tables = read_each(context, history.script, seconds=seconds)
    except DatabaseUnreachable as error:
        if not error.retryable:
            raise
        return error
    history = settled(context, history)
    if not allow_ahead:
        for table in tables:
            with answers.in_database(table, tables):
                history.require_not_ahead(table.rows)
    try:
        return answers.current(history, tables, check_heads=True, allow_ahead=True)
    except PendingMigrations as error:
        return error

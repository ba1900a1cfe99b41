"""Wait until another process has migrated the database."""

import time

from ..base.attempts import attempts
from ..base.errors import DatabaseUnreachable, MigrateError, PendingMigrations
from ..base.results import Standing
from ..bridge.connection import database_name, shared_engine
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.version_table import read_each
from ..revisions import answers

#: How many seconds the last look has, even if less time is left.
_LEAST = 1.0


def wait(context: RunContext, timeout: float, *, allow_ahead: bool = False) -> Standing:
    """Wait up to `timeout` seconds until the database is at the code's heads.

    For containers of the application that start beside the one that migrates. With `allow_ahead`,
    a database at a revision that the code lacks counts as there.

    Raises PendingMigrations or DatabaseUnreachable when it isn't in time, DatabaseAhead at once.
    """
    deadline = time.monotonic() + timeout
    history = load_history(context)
    told = None
    with shared_engine(context):
        for is_last in attempts(timeout):
            seconds = max(deadline - time.monotonic(), _LEAST)
            found = _look(context, history, allow_ahead, seconds)
            if isinstance(found, Standing):
                return found
            if is_last or time.monotonic() >= deadline:
                raise found
            # Only the first line counts: the rest says how long another session has held a lock.
            if found.message.partition("\n")[0] != told:
                told = found.message.partition("\n")[0]
                context.watcher.notice(f"waiting. {told}")
    raise AssertionError("attempts() ends with a last one")


def _look(
    context: RunContext, history: ScriptHistory, allow_ahead: bool, seconds: float
) -> Standing | MigrateError:
    try:
        tables = read_each(context, history.script, seconds=seconds)
    except DatabaseUnreachable as error:
        if not error.retryable:
            raise
        return error
    history = settled(context, history)
    heads = answers.union(tables)
    if allow_ahead and history.unknown(heads):
        return Standing(database_name(context), heads, (), ())
    history.require_not_ahead(heads)
    try:
        return answers.current(history, database_name(context), tables, check_heads=True)
    except PendingMigrations as error:
        return error

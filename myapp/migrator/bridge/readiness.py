"""Waiting for a database that is not up yet."""

from collections.abc import Callable
from typing import TypeVar

from ..base.attempts import asked_once, attempts
from ..base.errors import DatabaseUnreachable
from .context import RunContext

T = TypeVar("T")


def until_up(context: RunContext, ask: Callable[[], T]) -> T:
    """Return what `ask` returns, once the database is up: `migrate.wait_db` seconds at most.

    Raises DatabaseUnreachable, at once where waiting is of no use.
    """
    told = None
    for is_last in attempts(context.settings.options.wait_db):
        try:
            with asked_once():
                return ask()
        except DatabaseUnreachable as error:
            if is_last or not error.retryable or context.canceller.signal:
                raise
            if error.message != told:
                told = error.message
                context.watcher.notice(f"waiting for the database. {told}")
    raise AssertionError("attempts() ends with a last one")

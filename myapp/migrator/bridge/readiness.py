"""Waiting for a database that is not up yet."""

from collections.abc import Callable
from typing import TypeVar

from ..base.attempts import asked_once, attempts
from ..base.errors import DatabaseUnreachable
from .context import RunContext

T = TypeVar("T")


def until_up(context: RunContext, ask: Callable[[], T]) -> T:
    """Call `ask` until the database is up, for `migrate.wait_db` seconds, and return its result.

    Raises DatabaseUnreachable, at once if waiting can't help.
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

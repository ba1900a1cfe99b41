"""Keep what Alembic tells of itself, at its import and at each look, out of the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_TELLERS = ("alembic.runtime.migration", "alembic.runtime.plugins")


@contextmanager
def hushed() -> Iterator[None]:
    """Let Alembic log warnings only within, as far as this thread is concerned."""
    thread = threading.get_ident()

    def is_told(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or record.thread != thread

    # Not their levels: those are the application's, and the other threads'.
    loggers = [logging.getLogger(name) for name in _TELLERS]
    for logger in loggers:
        logger.addFilter(is_told)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_told)

"""Logging, given back to a program that has called the command line from Python."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Undo what is done within to the loggers, by the .ini file's logging sections above all.

    A logger that is new loses its handlers, and keeps its level: SQLAlchemy sets one when it is
    imported. A handler that is new is closed.
    """
    before = {
        name: (logger.level, logger.handlers[:], logger.propagate, logger.disabled)
        for name, logger in _loggers().items()
    }
    kept = {handler for _, handlers, _, _ in before.values() for handler in handlers}
    try:
        yield
    finally:
        for name, logger in _loggers().items():
            level, handlers, propagate, disabled = before.get(name, (logger.level, [], True, False))
            for handler in set(logger.handlers) - kept:
                handler.close()
            logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate, logger.disabled = propagate, disabled


def _loggers() -> dict[str, logging.Logger]:
    known = {"": logging.root, **logging.root.manager.loggerDict}
    return {name: each for name, each in known.items() if isinstance(each, logging.Logger)}

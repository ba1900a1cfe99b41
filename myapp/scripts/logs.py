"""What is logged: without secrets, and as before for a program that called from Python."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..migrator.base.legible import legible
from ..migrator.base.shortening import readable
from ..migrator.settings.redaction import Redactor

#: The loggers that show text from revision files.
_TELLS_MESSAGES = "alembic."
#: The logger that tells of each part of Alembic when it is imported.
_PLUGINS = "alembic.runtime.plugins"


@contextmanager
def redacted_logs(redactor: Redactor, *, quiet: bool = False) -> Iterator[None]:
    """Redact every log record that is made within, for all handlers; `quiet` leaves errors only.

    The message and the traceback are rendered here. Otherwise a handler of the application would
    render them from the raw arguments, secrets included.
    """
    make_record, disabled = logging.getLogRecordFactory(), logging.root.manager.disable
    formatter = logging.Formatter()

    def redacted_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        try:
            record.msg, record.args = redactor.redact(record.getMessage()), None
            if record.levelno >= logging.WARNING:
                record.msg = readable(record.msg)
            if record.name.startswith(_TELLS_MESSAGES):
                record.msg = legible(record.msg)
        except Exception:  # noqa: BLE001 - logging reports it, and the migration goes on
            return record
        if record.exc_info:
            text = redactor.redact(formatter.formatException(record.exc_info))
            record.exc_text = readable(text)
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redactor.redact(record.stack_info)
        return record

    logging.setLogRecordFactory(redacted_record)
    if quiet:
        # Not a logger's level: an env.py that reads the .ini file's logging sections again would
        # set it back.
        logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        logging.setLogRecordFactory(make_record)


@contextmanager
def quieter_alembic(*, verbose: bool) -> Iterator[None]:
    """Let Alembic log warnings only within, unless `verbose` or the .ini file wants more of it.

    A root logger at INFO is meant for the application, and the command tells the story of a run.
    """
    alembic, plugins = logging.getLogger("alembic"), logging.getLogger(_PLUGINS)
    level = alembic.level
    if not verbose and level == logging.NOTSET:
        # Logging sections that name this logger set its level after this.
        alembic.setLevel(logging.WARNING)
    plugins.addFilter(_is_warning)  # which logging sections leave alone, unlike a level
    try:
        yield
    finally:
        plugins.removeFilter(_is_warning)
        alembic.setLevel(level)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


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
                with suppress(OSError):  # its disk may be full
                    handler.close()
            if logger.level != level:  # else all loggers would look up their levels again
                logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate, logger.disabled = propagate, disabled


def _loggers() -> dict[str, logging.Logger]:
    known = {"": logging.root, **logging.root.manager.loggerDict}
    return {name: each for name, each in known.items() if isinstance(each, logging.Logger)}

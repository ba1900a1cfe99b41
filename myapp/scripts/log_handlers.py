"""Log handlers that fail: a warning on the terminal, and the end of nothing."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any


@contextmanager
def failures_told(tell: Callable[[str], object]) -> Iterator[None]:
    """Give `tell` one sentence for each log handler that can't be opened or written within.

    Python would end the run where a log file can't be opened, and write a traceback for each record
    that can't be written. The classes are changed and not the handlers: an env.py may read the
    .ini file's logging sections again.
    """
    told = set()
    handle, handle_error = logging.Handler.handle, logging.Handler.handleError
    open_file = logging.FileHandler.__init__

    def failed(handler: logging.Handler, error: BaseException | None) -> None:
        name = _named(handler)
        if name not in told:
            told.add(name)
            tell(f"{name} can't be written: {why(error)}. The command goes on without it.")

    def opened(
        handler: logging.FileHandler,
        filename: Any,
        mode: str = "a",
        encoding: str | None = None,
        delay: bool = False,
        errors: str | None = None,
    ) -> None:
        try:
            open_file(handler, filename, mode, encoding, delay, errors)
        except OSError as error:
            failed(handler, error)
            open_file(handler, filename, mode, encoding, True, errors)  # with the first record then

    def handled(handler: logging.Handler, record: logging.LogRecord) -> Any:
        try:
            return handle(handler, record)
        except Exception:  # noqa: BLE001 - a file is opened with its first record, and fails
            handler.handleError(record)
            return True

    def not_written(handler: logging.Handler, record: logging.LogRecord) -> None:
        if _is_wrong(record):
            handle_error(handler, record)
        else:
            failed(handler, sys.exc_info()[1])

    replaced: list[tuple[type, str, Any]] = [
        (logging.Handler, "handle", handled),
        (logging.Handler, "handleError", not_written),
        (logging.FileHandler, "__init__", opened),
    ]
    if "logging.handlers" in sys.modules:  # it takes long to import
        replaced.append(_syslog())
    with ExitStack() as stack:
        for owner, name, function in replaced:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, function)
        yield


def _syslog() -> tuple[type, str, Any]:
    from logging.handlers import SysLogHandler

    make = SysLogHandler.__init__

    def made(handler: SysLogHandler, *args: Any, **options: Any) -> None:
        with suppress(OSError):  # it tries again with each record, and fails as others do
            make(handler, *args, **options)

    return SysLogHandler, "__init__", made


def _is_wrong(record: logging.LogRecord) -> bool:
    """Tell whether a log call's arguments don't fit its message, whatever handler has it."""
    try:
        record.getMessage()
    except Exception:  # noqa: BLE001 - the arguments are objects of the application's
        return True
    return False


def _named(handler: logging.Handler) -> str:
    if isinstance(handler, logging.FileHandler):
        return f"the log file {handler.baseFilename}"
    name = f"`{handler.name}` ({type(handler).__name__})" if handler.name else ""
    return f"the log handler {name or type(handler).__name__}"


def why(error: BaseException | None) -> str:
    """Return what the operating system says, or the kind of another error and its text."""
    said = getattr(error, "strerror", None) or str(error)
    return said if isinstance(error, OSError) and said else f"{type(error).__name__}: {said}"

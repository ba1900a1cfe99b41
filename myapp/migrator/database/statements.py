"""Show the SQL as it runs."""

import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import ExecutionContext

from ..settings.redaction import redacted
from .listening import listening


class _Shortened(reprlib.Repr):
    """Shortens values, after taking their secrets out."""

    def repr_str(self, x: str, level: int) -> str:
        """Shorten a string."""
        return super().repr_str(redacted(x), level)

    def repr_instance(self, x: object, level: int) -> str:
        """Shorten a value that is no string, number or collection: bytes, a date."""
        shown = redacted(repr(x))
        return shown if len(shown) <= self.maxother else f"{shown[: self.maxother - 3]}..."


@contextmanager
def statements_told(tell: Callable[[str], object]) -> Iterator[None]:
    """Call `tell` with each statement before it runs, its parameters shortened.

    It doesn't use SQLAlchemy's logger, since an `env.py` may change how that is set up.
    """

    def told(
        connection: Connection, cursor: Any, sent: str, parameters: Any, context: Any, many: bool
    ) -> None:
        shown = f" -- {_Shortened().repr(parameters)}" if parameters else ""
        tell(as_written(sent, context).strip() + shown)

    with listening(before_cursor_execute=told):
        yield


def as_written(sent: str, context: ExecutionContext) -> str:
    """Return a statement as its author has it: for some drivers, SQLAlchemy doubles each `%`."""
    is_doubled = context.compiled and context.dialect.paramstyle in ("format", "pyformat")
    return sent.replace("%%", "%") if is_doubled else sent

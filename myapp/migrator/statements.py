"""The SQL that runs, told as it runs."""

import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection

from .listening import listening


@contextmanager
def watching(tell: Callable[[str], object]) -> Iterator[None]:
    """Call `tell` with each statement before it runs, its parameters shortened.

    It doesn't use SQLAlchemy's logger, which a foreign `env.py` sets up again.
    """

    def told(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        shown = f" -- {reprlib.repr(parameters)}" if parameters else ""
        tell(statement.strip() + shown)

    with listening(before_cursor_execute=told):
        yield

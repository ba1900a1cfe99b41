"""The SQL that runs, told as it runs."""

import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection


@contextmanager
def watching(tell: Callable[[str], object]) -> Iterator[None]:
    """Call `tell` with each statement before it runs, its parameters shortened.

    It listens to every engine of this process, since a foreign `env.py` makes its own, and doesn't
    use SQLAlchemy's logger, which such an `env.py` sets up again.
    """

    def told(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        shown = f" -- {reprlib.repr(parameters)}" if parameters else ""
        tell(statement.strip() + shown)

    event.listen(Engine, "before_cursor_execute", told)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", told)

"""The rows of the version table, before anything is made of them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any


def oddity(rows: Sequence[Any]) -> str | None:
    """Return what about `rows` can't be: each is the id of a revision, as text, and stands once.

    Another table of that name, or a hand that mended this one, holds anything.
    """
    for row in rows:
        if row is None:
            return "NULL"
        if not isinstance(row, str):
            return f"{_shown(row)}, of the type {type(row).__name__}"
        if not row or row != row.strip():
            return f"{row!r}, an id with blanks" if row.strip() else f"{row!r}, which is no id"
    twice = next((row for row, count in Counter(rows).items() if count > 1), None)
    return f"{twice} twice" if twice is not None else None


def _shown(row: Any) -> str:
    return repr(bytes(row) if isinstance(row, memoryview) else row)

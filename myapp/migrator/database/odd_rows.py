"""Rows in the version table that can't be ids of revisions."""

from collections import Counter
from collections.abc import Sequence
from typing import Any


def oddity(rows: Sequence[Any]) -> str | None:
    """Return what is wrong with `rows`, None if nothing is.

    Each has to be the id of a revision, as text, and to stand there once. The table may be one of
    another program, or someone may have edited it by hand.
    """
    if foreign := foreign_row(rows):
        return foreign
    for row in rows:
        if row is None:
            return "NULL"
        if not row or row != row.strip():
            return f"{row!r}, an id with blanks" if row.strip() else f"{row!r}, which is not an id"
    twice = next((row for row, count in Counter(rows).items() if count > 1), None)
    return f"{twice} twice" if twice is not None else None


def foreign_row(rows: Sequence[Any]) -> str | None:
    """Return the first of `rows` that no version table has, with its type; None if there is none.

    Nothing may be written to such a table: it is another program's.
    """
    for row in rows:
        if row is not None and not isinstance(row, str):
            return f"{_shown(row)}, of the type {type(row).__name__}"
    return None


def shown(row: str | None) -> str:
    """Return a row for use in a sentence."""
    if row is None:
        return "NULL"
    return row if row and row == row.strip() else repr(row)


def _shown(row: Any) -> str:
    return repr(bytes(row) if isinstance(row, memoryview) else row)

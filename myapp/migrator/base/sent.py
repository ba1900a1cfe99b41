"""What a revision sends to a database: plain values."""

from typing import NamedTuple


class Sent(NamedTuple):
    """One statement of a revision, without the semicolon at its end.

    `line` (from 1) is the line of the revision file that sends it, None where it isn't known.
    `is_transactional`: it runs in the revision's transaction.
    """

    sql: str
    line: int | None = None
    is_transactional: bool = True

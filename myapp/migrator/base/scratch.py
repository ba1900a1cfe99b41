"""What a scratch database is: plain values."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scratch:
    """A scratch database, which is dropped after use.

    `url` leads to it, and holds a password. `database` is the same without it. `target` is the
    revision that was asked for, and `rows` are those of its version table. `is_copy` tells whether
    it was copied from one that an earlier run has migrated; `seconds` is how long that took.
    """

    url: str = field(repr=False)
    database: str
    target: str
    rows: tuple[str, ...]
    is_copy: bool
    seconds: float

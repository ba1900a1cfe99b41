"""Which known name a misspelt one is nearest to."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name in `known` that is most like `name`; None when none is like it.

    `cutoff` is the least likeness, from 0 to 1.
    """
    from difflib import get_close_matches  # costs time and memory, and is for errors alone

    return next(iter(get_close_matches(name, known, 1, cutoff)), None)

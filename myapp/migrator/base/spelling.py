"""Which known name a misspelt one is nearest to, and whether it is misspelt at all."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name in `known` that is most like `name`; None when none is like it.

    `cutoff` is the least likeness, from 0 to 1.
    """
    from difflib import get_close_matches  # costs time and memory, and is for errors alone

    return next(iter(get_close_matches(name, known, 1, cutoff)), None)


def is_slip(typed: str, meant: str) -> bool:
    """Tell whether `typed` is `meant` but for one letter too many, too few, wrong or misplaced.

    Upper case and hyphens are none.
    """
    typed, meant = typed.lower().replace("-", "_"), meant.lower()
    shorter = min(len(typed), len(meant))
    at = next((i for i in range(shorter) if typed[i] != meant[i]), shorter)
    rest, wanted = typed[at:], meant[at:]
    is_misplaced = rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:]
    return is_misplaced or rest[1:] in (wanted, wanted[1:]) or rest == wanted[1:]

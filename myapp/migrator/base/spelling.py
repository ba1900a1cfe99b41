"""Find the known name that a misspelt one is meant to be."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name in `known` that is most like `name`, None if no name is.

    `cutoff` is how much alike they must be, from 0 to 1.
    """
    from difflib import get_close_matches  # slow to import, and only errors need it

    return next(iter(get_close_matches(name, known, 1, cutoff)), None)


def is_slip(typed: str, meant: str) -> bool:
    """Tell whether `typed` is `meant` with one slip.

    A slip is a letter too many, one too few, a wrong one, or two that are swapped. Upper case and
    hyphens don't count.
    """
    typed, meant = typed.lower().replace("-", "_"), meant.lower()
    shorter = min(len(typed), len(meant))
    at = next((i for i in range(shorter) if typed[i] != meant[i]), shorter)
    rest, wanted = typed[at:], meant[at:]
    is_misplaced = rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:]
    return is_misplaced or rest[1:] in (wanted, wanted[1:]) or rest == wanted[1:]

"""How heads have come apart."""

from dataclasses import dataclass
from typing import Any

from .results import Revision


@dataclass(frozen=True)
class Fork:
    """The revisions between several heads and their common ancestor, None if they have none.

    `sides` has for each head the ids back to the ancestor, the newest first and without it.
    `revisions` are those of all sides and the ancestor, the newest first.
    """

    ancestor: str | None
    sides: tuple[tuple[str, tuple[str, ...]], ...]
    revisions: tuple[Revision, ...]

    def document(self) -> dict[str, Any]:
        """Return plain values for machines."""
        sides = [{"head": head, "revisions": list(ids)} for head, ids in self.sides]
        return {"ancestor": self.ancestor, "sides": sides}

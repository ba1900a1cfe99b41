"""What an operation tells while it runs."""

from .results import Step


class Watcher:
    """Hears of each revision and of whatever else a person would want to know; says nothing.

    The command line's own watcher writes both to standard error.
    """

    def step(self, step: Step) -> None:
        """Hear that a revision begins (`seconds` is None) or has been committed."""

    def ended(self) -> None:
        """Hear that a pass through the revisions is over, well or not; another try may follow."""

    def notice(self, sentence: str) -> None:
        """Hear of a wait, a retry or a warning."""

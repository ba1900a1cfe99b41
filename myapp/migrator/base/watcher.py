"""Progress: what an operation reports while it runs."""

from .results import Step


class Watcher:
    """Is called with the progress of a run; this one does nothing.

    The command line has one that writes to standard error.
    """

    def step(self, step: Step) -> None:
        """Take note that a revision begins (`seconds` is None) or has been committed."""

    def ended(self) -> None:
        """Take note that one pass through the revisions has ended; another try may follow."""

    def notice(self, sentence: str) -> None:
        """Take note of a wait, a retry or a warning."""

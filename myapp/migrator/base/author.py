"""Who writes a revision, and what he can be asked."""


class Author:
    """Answers what a new revision needs; this one is not there, and nothing is asked.

    The command line has one that asks on a terminal.
    """

    def message(self, suggested: str) -> str | None:
        """Return what the revision does; `suggested` is made of its operations, and may be empty.

        None where there is nothing to say.
        """
        return suggested or None

    def is_renamed(self, old: str, new: str) -> bool | None:
        """Tell whether the column `old` is to be renamed to `new`; None if nobody was asked."""
        return None

"""A history that is shown as a drawing."""

from collections.abc import Iterator

from ..migrator.base.results import HistoryReport
from ..migrator.revisions.drawing import drawn_history
from .output import shown_state
from .revision_text import short


class HistoryGraph:
    """A history that is shown as a drawing."""

    #: A line of text that went on below would break the lines of the drawing.
    is_drawn = True

    def __init__(self, report: HistoryReport) -> None:
        self._report = report

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield each line of the drawing, and the revision beside it."""
        for row, each in drawn_history(self._report):
            if each is None:
                yield row, ""
                continue
            mark = f"{row} {shown_state(each.state)} " if each.state else f"{row} "
            yield mark, short(each.revision)

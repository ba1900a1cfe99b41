"""A history that is shown as a drawing."""

from collections.abc import Iterator

from ..migrator.base.results import HistoryReport
from .drawing import children_first, drawn
from .output import shown_state
from .revision_text import short


class HistoryGraph:
    """A history that is shown as a drawing."""

    def __init__(self, report: HistoryReport) -> None:
        self._report = report

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield each line of the drawing, and the revision beside it."""
        marked = {each.revision.revision: each for each in self._report.revisions}
        follows = {name: each.revision.down_revisions for name, each in marked.items()}
        depends = self._report.dependencies
        order = children_first(marked, follows, depends)
        for row, name in drawn(order, follows, depends):
            if name is None:
                yield row, ""
                continue
            state = marked[name].state
            mark = f"{row} {shown_state(state)} " if state else f"{row} "
            yield mark, short(marked[name].revision)

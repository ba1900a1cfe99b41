"""Draw revisions as lines, as `git log --graph` does."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from ..base.results import HistoryReport, MarkedRevision

#: How a line is drawn that leads to what a revision follows, and to what it only depends on.
_FOLLOWS, _DEPENDS = "|", ":"


def drawn_history(report: HistoryReport) -> Iterator[tuple[str, MarkedRevision | None]]:
    """Yield each row of the drawing of a history, and the revision whose row it is."""
    marked = {each.revision.revision: each for each in report.revisions}
    follows = {name: each.revision.down_revisions for name, each in marked.items()}
    depends = report.dependencies
    for row, name in drawn(children_first(marked, follows, depends), follows, depends):
        yield row, None if name is None else marked[name]


def children_first(
    names: Iterable[str],
    follows: Mapping[str, Collection[str]],
    depends: Mapping[str, Collection[str]],
) -> Iterator[str]:
    """Yield `names` in their order, but each only after those that follow or depend on it."""
    place = {name: number for number, name in enumerate(names)}
    parents = {name: {*follows[name], *depends[name]} & place.keys() for name in place}
    children = Counter(parent for each in parents.values() for parent in each)
    ready = [(number, name) for name, number in place.items() if not children[name]]
    while ready:
        _, name = heappop(ready)
        yield name
        for parent in parents[name]:
            children[parent] -= 1
            if not children[parent]:
                heappush(ready, (place[parent], parent))


@dataclass
class _Columns:
    """The lines that are open at one row: which revision each leads to, and how it is drawn."""

    ids: list[str | None] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    #: Where a line has just ended: a revision right below would seem to go on with it.
    ended: int | None = None

    def place(self, revision: str, mark: str, at: int | None = None) -> int:
        """Return the column that leads to `revision`; a free one if there is none yet."""
        if revision in self.ids:
            found = self.ids.index(revision)
            self.marks[found] = _FOLLOWS if mark == _FOLLOWS else self.marks[found]
            return found
        if at is None or self.ids[at] is not None:
            free = (i for i, each in enumerate(self.ids) if each is None and i != self.ended)
            at = next(free, len(self.ids))
        if at == len(self.ids):
            self.ids.append(None)
            self.marks.append(" ")
        self.ids[at], self.marks[at] = revision, mark
        return at

    def free(self, column: int) -> None:
        self.ids[column], self.marks[column] = None, " "

    def move(self, column: int, to: int) -> None:
        self.ids[to], self.marks[to] = self.ids[column], self.marks[column]
        self.free(column)

    def row(self, column: int | None = None) -> str:
        """Return the lines side by side, with a revision in `column`."""
        return " ".join("*" if column == i else mark for i, mark in enumerate(self.marks))


def drawn(
    order: Iterable[str],
    follows: Mapping[str, Collection[str]],
    depends: Mapping[str, Collection[str]],
) -> Iterator[tuple[str, str | None]]:
    """Yield each row of the drawing, and the revision whose row it is, None between revisions.

    `order` has each revision before those that it `follows` or `depends` on. Lines to others than
    those in `order` are left out.
    """
    shown = list(order)
    known = set(shown)
    columns = _Columns()
    for revision in shown:
        column = columns.place(revision, _FOLLOWS)
        yield columns.row(column).rstrip(), revision
        columns.free(column)
        columns.ended = None
        marks = dict.fromkeys(
            (each for each in depends.get(revision, ()) if each in known), _DEPENDS
        )
        marks |= dict.fromkeys(
            (each for each in follows.get(revision, ()) if each in known), _FOLLOWS
        )
        yield from _edges(columns, column, marks)
        columns.ended = None if marks else column


def _edges(
    columns: _Columns, column: int, marks: Mapping[str, str]
) -> Iterator[tuple[str, str | None]]:
    """Yield the rows of the lines that leave a revision in `column` for another one."""
    before = list(columns.marks)
    # Those that a revision follows come first: the line straight down is one of theirs.
    wanted = sorted(marks, key=lambda each: marks[each] == _DEPENDS)
    ends = sorted({columns.place(each, marks[each], at=column) for each in wanted} - {column})
    before += [" "] * (len(columns.marks) - len(before))
    if columns.ids[column] is None and ends and ends[-1] > column:
        # A line further right ends here, so that the drawing stays narrow.
        columns.move(ends[-1], column)
    goes_on = columns.ids[column] is not None
    before[column] = columns.marks[column] if goes_on else _FOLLOWS
    for number, end in enumerate(ends):
        if end > column and columns.ids[end] is None:
            before[end] = " "
            yield _slanted(before, end, column), None
            continue
        is_last = number == len(ends) - 1
        before[column] = " " if is_last and not goes_on else before[column]
        yield _slanted(before, column, end), None
        before[end] = columns.marks[end]


def _slanted(marks: list[str], start: int, end: int) -> str:
    """Return a row with a line from the column `start` to the column `end`."""
    row = list(" ".join(marks))
    left, right = sorted((start, end))
    for gap in range(2 * left + 1, 2 * right, 2):
        row[gap] = "_"
    row[2 * right - 1] = "/" if end < start else "\\"
    return "".join(row).rstrip()

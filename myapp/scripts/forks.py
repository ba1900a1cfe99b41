"""Draw how heads have come apart."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..migrator.base.legible import legible
from ..migrator.revisions.drawing import children_first, drawn
from .revision_text import titled
from .wrapping import cut

if TYPE_CHECKING:
    from ..migrator.base.forks import Fork

#: How many revisions of a line without a branch are shown at its newer and its older end. One that
#: is a little longer is shown whole.
_NEWER, _OLDER = 2, 1
_WHOLE = 5
#: How many heads are drawn; each takes two columns.
_MOST_HEADS = 8


def fork_lines(fork: "Fork", columns: int) -> Iterator[str]:
    """Yield the lines of a drawing that is up to `columns` wide.

    In the middle of a long line, revisions are counted and not shown.
    """
    sides = dict(fork.sides[:_MOST_HEADS])
    shown = {id_ for ids in sides.values() for id_ in ids} | {fork.ancestor}
    titles = {each.revision: titled(each) for each in fork.revisions if each.revision in shown}
    follows = {
        each.revision: tuple(id_ for id_ in each.down_revisions if id_ in titles)
        for each in fork.revisions
        if each.revision in titles
    }
    left_out = _left_out(follows)
    every = children_first(titles, follows, dict.fromkeys(titles, ()))
    order = [id_ for id_ in every if left_out.get(id_) != 0]
    follows = {id_: _past(follows[id_], follows, left_out) for id_ in order}
    for row, id_ in drawn(order, follows, {}):
        if id_ is None:
            yield row
        elif id_ in left_out:
            yield f"{row.replace('*', '|')} ... {left_out[id_]} more ..."
        else:
            yield cut(f"{row} {legible(titles[id_])}", columns)
    if more := len(fork.sides) - len(sides):
        yield f"and {more} more head{'s' if more > 1 else ''}"


def _left_out(follows: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return the revisions in the middle of long lines: the first of each with their number.

    The others have 0.
    """
    children: dict[str, list[str]] = {id_: [] for id_ in follows}
    for id_, parents in follows.items():
        for parent in parents:
            children[parent].append(id_)
    found: dict[str, int] = {}
    for id_ in follows:
        if len(children[id_]) == 1 and len(follows[children[id_][0]]) == 1:
            continue  # it is no beginning of a line
        line = [id_]
        while len(follows[line[-1]]) == 1 and len(children[follows[line[-1]][0]]) == 1:
            line.append(follows[line[-1]][0])
        if len(line) > _WHOLE:
            middle = line[_NEWER:-_OLDER]
            found |= dict.fromkeys(middle, 0)
            found[middle[0]] = len(middle)
    return found


def _past(
    parents: tuple[str, ...], follows: Mapping[str, tuple[str, ...]], left_out: Mapping[str, int]
) -> tuple[str, ...]:
    """Return `parents`, each revision that is not shown replaced by the next that is."""
    found: list[str] = []
    for each in parents:
        while left_out.get(each) == 0:
            each = follows[each][0]
        found.append(each)
    return tuple(found)

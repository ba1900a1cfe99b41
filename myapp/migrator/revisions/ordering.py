"""The order in which Alembic goes through revisions."""

from collections.abc import Collection, Iterable, Mapping, Sequence


def newest_first(
    revisions: Collection[str],
    heads: Sequence[str],
    normal_parents: Mapping[str, Sequence[str]],
    normal_children: Mapping[str, Iterable[str]],
) -> list[str]:
    """Return `revisions` in the order of Alembic's `_topological_sort`, which is quadratic.

    Each has to be among `heads` or below one of them, with all that lies between; what is not below
    a head is left out.
    """
    todo = set(revisions)
    # As nothing is left out between them, one tip is below another just as long as some revision
    # that needs it directly hasn't been put out.
    waiting_for = {id_: dict.fromkeys(normal_children[id_]) for id_ in todo}
    for waiting in waiting_for.values():
        for child in waiting.keys() - todo:
            del waiting[child]
    tips = [id_ for id_ in heads if id_ in todo]
    is_tip = set(tips)
    output: list[str] = []
    above: dict[str, set[str]] = {}
    place = 0
    while tips:
        tip = tips[place]
        if waiting_for[tip]:
            # The tips are what has not been put out, so what was above stays above.
            if tip not in above:
                above = {tip: reach(waiting_for[tip], waiting_for)}
            place = next(each for each, other in enumerate(tips) if other in above[tip])
            continue
        output.append(tip)
        todo.remove(tip)
        is_tip.remove(tip)
        parents = normal_parents[tip]
        for parent in parents:
            if parent in todo:
                del waiting_for[parent][tip]
        new = [id_ for id_ in parents if id_ in todo and id_ not in is_tip]
        is_tip.update(new)
        if new:
            tips[place] = new[0]
            tips.extend(new[1:])
        else:
            del tips[place]
            place = max(place - 1, 0)
    return output


def reach(start: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """Return all that `edges` lead to from `start`, and `start` itself."""
    seen = set(start)
    todo = list(seen)
    while todo:
        for id_ in edges[todo.pop()]:
            if id_ not in seen:
                seen.add(id_)
                todo.append(id_)
    return seen

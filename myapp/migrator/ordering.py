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
    place = 0
    while tips:
        tip = tips[place]
        if waiting_for[tip]:
            place = _first_above(place, tips, waiting_for)
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


def _first_above(place: int, tips: list[str], waiting_for: Mapping[str, Iterable[str]]) -> int:
    """Return the place of the first of `tips` that needs, if indirectly, the one at `place`."""
    first = tips[1 if place == 0 else 0]
    todo = [tips[place]]
    seen = set(todo)
    for id_ in todo:
        for child in waiting_for[id_]:
            if child == first:
                return 1 if place == 0 else 0
            if child not in seen:
                seen.add(child)
                todo.append(child)
    return next(each for each, tip in enumerate(tips) if tip in seen and each != place)

"""Where the history forks into several heads."""

from collections.abc import Collection

from ..base.forks import Fork
from .history import History


def fork(history: History, heads: Collection[str]) -> Fork:
    """Return how `heads` have come apart, by their `down_revision` only.

    Several lines may have been joined in between. Then the newest common ancestor counts.
    """
    graph = history.graph
    below = [graph.reach([head], graph.down_revisions) for head in heads]
    common = set.intersection(*below)
    # None of the revisions that follow the ancestor is common to all.
    ancestor = next(
        (id_ for id_ in history.ids if id_ in common and common.isdisjoint(_after(history, id_))),
        None,
    )
    sides = [
        (head, tuple(id_ for id_ in history.ids if id_ in ids - common))
        for head, ids in zip(heads, below, strict=True)
    ]
    shown = {id_ for _, ids in sides for id_ in ids} | ({ancestor} if ancestor else set())
    return Fork(
        ancestor, tuple(sides), tuple(history.get(id_) for id_ in history.ids if id_ in shown)
    )


def _after(history: History, id_: str) -> list[str]:
    return history.graph.next_revisions[id_]

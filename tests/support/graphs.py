"""Histories of many shapes, and the states that a database can have in them."""

import random
from typing import Any

from .history import Revision

LINE = [Revision("aaa111"), Revision("aab222", "aaa111"), Revision("bbb333", "aab222")]
BRANCHES = [
    Revision("aaa111", message="root"),
    Revision("bbb222", "aaa111", branch_labels="left"),
    Revision("ccc333", "aaa111", branch_labels="right"),
    Revision("ddd444", "bbb222"),
    Revision("eee555", "ccc333"),
]
MERGE = [*BRANCHES, Revision("fff666", ("ddd444", "eee555")), Revision("abc777", "fff666")]
DEPENDENT = [
    Revision("aaa111", branch_labels="users"),
    Revision("aab222", "aaa111"),
    Revision("aac333", "aab222"),
    Revision("ccc333", branch_labels="shop", depends_on="users"),
    Revision("ddd444", "ccc333", depends_on="aab222"),
]


def random_graph(seed: int) -> list[Revision]:
    """Return revisions that branch, merge, depend on each other and have labels."""
    rng = random.Random(seed)
    made: list[Revision] = []
    ancestors: dict[str, set[str]] = {}
    for number in range(rng.randint(4, 8)):
        name = f"{rng.choice('ab')}{rng.choice('ab')}{number}{seed:03d}"
        parents = [
            each.id for each in rng.sample(made, min(len(made), rng.choice([0, 1, 1, 1, 2])))
        ]
        if len(parents) == 2 and (
            parents[0] in ancestors[parents[1]] or parents[1] in ancestors[parents[0]]
        ):
            parents.pop()
        # Alembic can't run a revision that depends on a descendant of its own parent.
        others = [each.id for each in made if ancestors[each.id].isdisjoint(parents)]
        others = [each for each in others if each not in parents]
        needs = rng.choice(others) if others and rng.random() < 0.25 else None
        ancestors[name] = set(parents).union(*(ancestors[each] for each in parents))
        label = f"label{number}" if not parents or rng.random() < 0.2 else None
        down = tuple(parents) if len(parents) > 1 else next(iter(parents), None)
        made.append(Revision(name, down, branch_labels=label, depends_on=needs))
    return made


GRAPHS = {"line": LINE, "branches": BRANCHES, "merge": MERGE, "dependent": DEPENDENT} | {
    f"random {seed}": random_graph(seed)
    for seed in (8, 25, 36, 52)  # each merges, and depends on another
}


def states(history: Any, seed: int = 0) -> list[tuple[str, ...]]:
    """Return some of the version tables that a database of this history can have."""
    rng = random.Random(seed)
    ids = history.ids
    found = {()}
    for size in range(1, len(ids) + 1):
        applied = history.applied(rng.sample(ids, min(size, 3)))
        needed = {
            parent
            for each in applied
            for parent in history.applied(
                (*history.get(each).down_revisions, *history.get(each).depends_on)
            )
        }
        labels = {label: each for each in ids for label in history.get(each).branch_labels}
        needed = {labels.get(each, each) for each in needed}
        found.add(tuple(sorted(applied - needed)))
    return sorted(found)

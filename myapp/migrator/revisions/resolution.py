"""What a revision that somebody names stands for, and the way there: Alembic's answers.

`AskAlembic` is raised for whatever Alembic refuses, and for the rarer forms of a target.
"""

from collections.abc import Collection, Sequence

from ..base.ask_alembic import AskAlembic
from .graph import RESERVED, Graph
from .target import Target


def resolve(graph: Graph, name: str) -> tuple[str, ...]:
    """Return the revisions that `name` stands for, as `ScriptDirectory.get_revisions` does.

    `base` stands for none.
    """
    _require_ours(graph)
    branch, at, symbol = name.rpartition("@")
    if symbol.strip().startswith("-") or "@" in branch:
        raise AskAlembic(f"`{name}` is not a plain name")
    if not at:
        return _resolve(graph, name)
    lineage = graph.lineage(_branch(graph, branch))
    if symbol == "base":
        return ()
    if symbol in ("head", "heads"):
        found = tuple(id_ for id_ in graph.heads if id_ in lineage)
        if symbol == "head" and len(found) > 1:
            raise AskAlembic(f"`{name}` could be any of {len(found)} heads")
        return found
    return (_find(graph, symbol, lineage),)


def upgrade_plan(graph: Graph, target: str, heads: Sequence[str]) -> list[str]:
    """Return what an upgrade from `heads` to `target` goes through, the last one first.

    As `iterate_revisions(target, heads, implicit_base=True)`.
    """
    _require_ours(graph)
    targets = _upgrade_targets(graph, target, heads)
    needed = _ancestors(graph, targets)
    return graph.sort(needed - _ancestors(graph, heads), targets)


def downgrade_plan(graph: Graph, target: str, heads: Sequence[str]) -> list[str]:
    """Return what a downgrade from `heads` to `target` undoes, the first one first.

    As `iterate_revisions(heads, target, select_for_downgrade=True)`.
    """
    _require_ours(graph)
    applied = graph.applied(heads)
    branch, lower = _downgrade_target(graph, target, heads)
    roots: Sequence[str] = graph.bases if lower is None else graph.next_revisions[lower]
    if branch:
        line = graph.reach([_branch(graph, branch)], graph.down_revisions)
        on_line = [id_ for id_ in roots if id_ in line]
        if len(roots) > 1 and not on_line:
            raise AskAlembic(f"`{target}` is no target from here")
        roots = on_line if len(roots) > 1 else roots
    undone = graph.reach(roots, graph.children) & applied
    if lower is not None and not undone and lower not in heads:
        raise AskAlembic(f"`{target}` is not applied")
    return graph.sort(undone, heads)


def revisions_between(graph: Graph, lower: str, upper: str) -> list[str]:
    """Return the revisions from `upper` down to `lower`, both of them included, the newest first.

    As `ScriptDirectory.walk_revisions(lower, upper)`.
    """
    _require_ours(graph)
    if "@" in lower or _steps(lower) or _steps(upper):
        raise AskAlembic("a range of relative revisions, or along a branch")
    uppers = resolve(graph, upper)
    lowers = resolve(graph, lower)
    needed = _ancestors(graph, uppers)
    if not lowers:
        return graph.sort(needed, uppers)
    if len(lowers) > 1 or any(graph.dependencies.values()) or not needed.issuperset(lowers):
        raise AskAlembic("a range that is not one line")
    after = graph.reach(lowers, graph.next_revisions)
    before = graph.applied(lowers)
    return graph.sort(((needed - before) & after) | set(lowers), uppers)


def _require_ours(graph: Graph) -> None:
    if graph.is_alembics:
        raise AskAlembic("this version of Alembic may have other rules")


def _upgrade_targets(graph: Graph, target: str, heads: Sequence[str]) -> tuple[str, ...]:
    steps = _steps(target)
    if steps is None:
        return resolve(graph, target)
    branch, symbol, count = steps
    if branch or (symbol is None and count <= 0):
        return (_walk_branch(graph, branch, symbol, count, heads),)
    start = _single(heads if symbol is None else resolve(graph, symbol))
    reached = _move(graph, start, count)
    if reached is None:
        raise AskAlembic(f"`{target}` goes too far")
    return (reached,)


def _walk_branch(
    graph: Graph, branch: str | None, symbol: str | None, count: int, heads: Sequence[str]
) -> str:
    if not branch or symbol is not None or count <= 0:
        raise AskAlembic("a rarer form of a relative target")
    lineage = graph.lineage(_branch(graph, branch))
    starts = [id_ for id_ in heads if id_ in lineage]
    if len(starts) != 1:
        raise AskAlembic(f"`{branch}` doesn't begin at one of the database's revisions")
    reached = _move(graph, starts[0], count, lineage)
    if reached is None:
        raise AskAlembic("this goes too far")
    return reached


def _downgrade_target(
    graph: Graph, target: str, heads: Sequence[str]
) -> tuple[str | None, str | None]:
    """Return the branch that `target` names and its revision, each None where there is none."""
    steps = _steps(target)
    if steps is None:
        branch, _, symbol = target.rpartition("@")
        return branch or None, _single(resolve(graph, symbol))
    branch_name, symbol_name, count = steps
    if symbol_name is not None:
        if branch_name:
            raise AskAlembic("a rarer form of a relative target")
        start = _single(resolve(graph, symbol_name))
        reached = _move(graph, start, count)
        if reached is None and (count >= 0 or start is None):
            raise AskAlembic(f"`{target}` goes too far")
        return None, reached
    if count >= 0:
        raise AskAlembic("a downgrade doesn't go up")
    if branch_name:
        lineage = graph.lineage(_branch(graph, branch_name))
        heads = [id_ for id_ in heads if id_ in lineage]
    if len(heads) != 1:
        raise AskAlembic("a step down from several revisions")
    return branch_name or heads[0], _move(graph, heads[0], count)


def _move(
    graph: Graph, start: str | None, count: int, lineage: Collection[str] | None = None
) -> str | None:
    """Go up or down from `start`, where None is the base on the way up and the way down."""
    place = start
    for _ in range(abs(count)):
        if count > 0:
            ways: Sequence[str] = graph.bases if place is None else graph.next_revisions[place]
            if lineage is not None:
                ways = [id_ for id_ in ways if id_ in lineage]
        elif place is None:
            raise AskAlembic("there is nothing below base")
        else:
            ways = graph.files[place].down_revision
        if len(ways) > 1 or (not ways and count > 0):
            raise AskAlembic("there is no one way from here")
        place = ways[0] if ways else None
    return place


def _steps(target: str) -> tuple[str | None, str | None, int] | None:
    parsed = Target.parse(target)
    if parsed.trailing:
        raise AskAlembic(f"`{target}` goes on after its steps")
    if parsed.steps is None:
        return None
    return parsed.branch, parsed.name or None, parsed.count


def _single(ids: Sequence[str]) -> str | None:
    if len(set(ids)) > 1:
        raise AskAlembic(f"one revision is needed, and here are {len(ids)}")
    return ids[0] if ids else None


def _ancestors(graph: Graph, ids: Sequence[str]) -> set[str]:
    """Return all that `ids` need, and they themselves; none may need another of them."""
    found = graph.applied(ids)
    if len(set(ids)) < len(ids) or any(not found.isdisjoint(graph.children[id_]) for id_ in ids):
        raise AskAlembic("the revisions overlap")
    return found


def _resolve(graph: Graph, name: str) -> tuple[str, ...]:
    if name == "heads":
        return graph.effective_heads
    if name == "head":
        if len(graph.heads) > 1:
            raise AskAlembic(f"`head` could be any of {len(graph.heads)} heads")
        return graph.heads
    return () if name == "base" else (_find(graph, name, None),)


def _branch(graph: Graph, name: str) -> str:
    if not name or name in RESERVED:
        raise AskAlembic(f"`{name}` is not the name of a branch")
    return _find(graph, name, None)


def _find(graph: Graph, name: str, lineage: Collection[str] | None) -> str:
    """Return the one revision with this id or label, or of which this is the beginning."""
    found = graph.labelled.get(name, name)
    if found not in graph.files:
        names = [
            (each, graph.labelled.get(each, each))
            for each in (*graph.files, *graph.labelled)
            if name and len(each) > 3 and each.startswith(name)
        ]
        matches = [id_ for _, id_ in names if lineage is None or id_ in lineage]
        if len(matches) != 1:
            raise AskAlembic(f"`{name}` stands for {len(matches)} revisions")
        found = matches[0]
    if lineage is not None and found not in lineage:
        raise AskAlembic(f"`{name}` is not on that branch")
    return found

"""Undo the differences of a PostgreSQL schema one after the other, each with what is in its way."""

from collections.abc import Iterable, Iterator, Sequence

from .catalogue import LOST, Catalogue, Difference, SchemaObject
from .creation_postgresql import created
from .making_order import called, in_order, names_in, needed
from .undo_postgresql import dropped, undo

_DONE = "The statements above do that, too."
_VIEWS = {"view", "materialized view"}
#: What refers to a view, or to a column whose type changes, and keeps the server from changing it.
_IN_THE_WAY = {*_VIEWS, "rule", "policy", "trigger"}
#: What refers to an object that is dropped, by its kind.
_REFERRING = {
    "column": {*_IN_THE_WAY, "constraint", "index", "statistics"},
    "function": {*_IN_THE_WAY, "constraint", "index"},
    "table": {*_VIEWS, "constraint"},
    "view": _IN_THE_WAY,
    "materialized view": _IN_THE_WAY,
}
_Objects = dict[tuple[str, str], SchemaObject]


def undo_all(
    differences: Sequence[Difference], expected: Catalogue, found: Catalogue
) -> Iterator[tuple[list[str], str]]:
    """Yield statements for each difference, and why there are none or what they leave.

    They have to run in this order. What depends on an object that can't be changed meanwhile is
    dropped before it, and made again after it.
    """
    now = dict(found)  # as the statements so far leave it
    names = _Names()
    for each in differences:
        key = each.kind, each.name
        one, other = expected.get(key), now.get(key)
        if one == other:
            yield [], _DONE
            continue
        if one is None and each.kind == "schema" and any(o.of == key for o in now.values()):
            yield [], LOST["schema"]  # only a person can say that
            continue
        statements, note = undo(Difference(*key, one, other), expected)
        others = _in_the_way(other, now, statements, names) if other else []
        again = [expected.get(o.key, o) for o in others if one or o.key in expected]
        before = [s for o in reversed(others) for s in dropped(o)]
        after = [s for o in again for s in created(o, expected)]
        yield [*before, *statements, *after], note
        if other and _is_dropped(other, statements):
            others.append(other)
        _follow(now, others, [one, *again] if one else again, expected)


def _follow(
    now: _Objects,
    gone: Iterable[SchemaObject],
    made: Iterable[SchemaObject],
    expected: Catalogue,
) -> None:
    """Let `now` be what it is after some objects are dropped, and others made or changed."""
    for each in gone:
        for part in _with_parts(each.key, now):
            del now[part]
    for each in made:
        is_new = each.key not in now
        now[each.key] = each
        if is_new and each.key in expected:
            now |= {part: expected[part] for part in _with_parts(each.key, expected)}


class _Names(dict[int, set[str]]):
    """The names in what objects need, which few are asked for."""

    def of(self, one: SchemaObject) -> set[str]:
        """Return the names in what `one` needs."""
        if id(one) not in self:
            self[id(one)] = set(names_in("\n".join(needed(one))))
        return self[id(one)]


def _in_the_way(
    other: SchemaObject, now: _Objects, statements: Sequence[str], names: _Names
) -> list[SchemaObject]:
    """Return what has to go before `statements` can run, each after the others that it needs."""
    if _is_dropped(other, statements):
        kinds = _REFERRING.get(other.kind, set())
    elif other.kind == "column" and any(" TYPE " in each for each in statements):
        kinds = _IN_THE_WAY
    else:
        return []
    found: _Objects = {}

    def find(one: SchemaObject, kinds: Iterable[str]) -> None:
        for key, each in now.items():
            if each.kind in kinds and key not in found and _refers(each, names.of(each), one):
                found[key] = each
                if each.kind in _VIEWS:
                    find(each, _IN_THE_WAY)

    find(other, kinds)
    gone = {*found, other.key}
    # What is a part of another one goes and comes with it.
    return in_order((each for each in found.values() if each.of not in gone), now)


def _refers(one: SchemaObject, names: set[str], to: SchemaObject) -> bool:
    if to.kind == "column":
        assert to.of is not None  # noqa: S101 - a column is one of a table
        return to.bare in names and (one.of == to.of or to.of[1] in names)
    if to.kind == "table" and one.kind == "constraint":
        is_key = one.facts["definition"].startswith("FOREIGN KEY")
        return is_key and one.of != to.key and to.name in names
    return called(to) in names


def _is_dropped(one: SchemaObject, statements: Sequence[str]) -> bool:
    return any(each in statements for each in dropped(one))


def _with_parts(key: tuple[str, str], of: Catalogue) -> list[tuple[str, str]]:
    """Return the key of an object, and those of all that is a part of it."""
    found = {key: None}
    for each, one in of.items():  # which has each after the one that it is a part of
        if one.of in found:
            found[each] = None
    return [*found]

"""A table that was given another name: it is the same one, with its rows."""

import re
from collections.abc import Iterator, Mapping

from .catalogue import Catalogue, SchemaObject

#: The names that tables were given, by those that are expected.
Renamed = Mapping[str, str]


def renamed_tables(expected: Catalogue, found: Catalogue) -> Renamed:
    """Return the tables that are there under another name: two columns or more are all the same.

    Where it could be one of two, it is neither.
    """
    missing = [name for name in _tables(expected) if ("table", name) not in found]
    added = [name for name in _tables(found) if ("table", name) not in expected]
    if not missing or not added:
        return {}
    pairs = [
        (one, other) for one in missing for other in added if _is_same(one, other, expected, found)
    ]
    ones, others = [one for one, _ in pairs], [other for _, other in pairs]
    return {one: to for one, to in pairs if ones.count(one) == others.count(to) == 1}


def with_names_of(found: Catalogue, renamed: Renamed) -> Catalogue:
    """Return a schema as it is after its tables have got their expected names again."""
    names = {to: name for name, to in renamed.items()}
    either = "|".join(map(re.escape, names))
    pattern = re.compile(rf'(?<![\w".$])(?:{either})(?![\w"$])')

    def again(text: str) -> str:
        return pattern.sub(lambda match: names[match[0]], text)

    made = {}
    for each in found.values():
        of = (each.of[0], again(each.of[1])) if each.of else None
        facts = {
            fact: value if fact == "comment" else again(value) for fact, value in each.facts.items()
        }
        one = SchemaObject(each.kind, again(each.name), of, facts)
        made[one.key] = one
    return made


def _tables(catalogue: Catalogue) -> Iterator[str]:
    return (name for kind, name in catalogue if kind == "table")


def _is_same(name: str, other: str, expected: Catalogue, found: Catalogue) -> bool:
    if expected["table", name].of != found["table", other].of:
        return False  # another schema
    one, two = _columns(name, expected), _columns(other, found)
    return len(one) > 1 and one == two


def _columns(name: str, catalogue: Catalogue) -> set[tuple[str, str]]:
    table = ("table", name)
    return {
        (each.bare, each.facts.get("type", ""))
        for each in catalogue.values()
        if each.of == table and each.kind == "column"
    }

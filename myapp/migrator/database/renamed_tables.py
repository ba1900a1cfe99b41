"""A table that was given another name: it is the same one, with its rows."""

import re
from collections.abc import Iterator, Mapping

from .catalogue import Catalogue, SchemaObject

#: The names that tables were given, by those that are expected.
Renamed = Mapping[str, str]
_Columns = Mapping[str, str]


def renamed_tables(expected: Catalogue, found: Catalogue) -> Renamed:
    """Return the tables that are there under another name: most of their columns are the same.

    Two columns or more have to be. Tables of which all columns have the same types, too, are found
    first. Where it could be one of two, it is neither.
    """
    missing = {name for name in _tables(expected) if ("table", name) not in found}
    added = {name for name in _tables(found) if ("table", name) not in expected}
    if not missing or not added:
        return {}
    wanted = {name: _columns(name, expected) for name in sorted(missing)}
    there = {name: _columns(name, found) for name in sorted(added)}
    renamed: dict[str, str] = {}
    for is_same in (_is_same, _is_much_the_same):
        pairs = [
            (one, other)
            for one, columns in wanted.items()
            for other, others in there.items()
            if one not in renamed and other not in renamed.values()
            if expected["table", one].of == found["table", other].of  # one schema
            if is_same(columns, others)
        ]
        ones, others = [one for one, _ in pairs], [other for _, other in pairs]
        renamed |= {one: to for one, to in pairs if ones.count(one) == others.count(to) == 1}
    return renamed


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


def _is_same(columns: _Columns, others: _Columns) -> bool:
    return len(columns) > 1 and columns == others


def _is_much_the_same(columns: _Columns, others: _Columns) -> bool:
    shared = len(columns.keys() & others.keys())
    return shared > 1 and shared * 2 > max(len(columns), len(others))


def _columns(name: str, catalogue: Catalogue) -> _Columns:
    """Return the types of a table's columns."""
    table = ("table", name)
    return {
        each.bare: each.facts.get("type", "")
        for each in catalogue.values()
        if each.of == table and each.kind == "column"
    }

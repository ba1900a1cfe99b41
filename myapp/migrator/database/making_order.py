"""In which order the objects of a schema can be made, and in the other direction be dropped."""

import re
from collections.abc import Iterable, Iterator

from .catalogue import ORDER, Catalogue, SchemaObject

#: The kinds, each after those that it is usually made of.
_KINDS = (
    *("schema", "extension", "type", "domain", "domain constraint", "sequence", "table"),
    *("foreign table", "column", "column order", "function", "procedure", "aggregate"),
    *("view", "materialized view", "constraint", "index", "statistics", "rule", "policy"),
    *("trigger", "event trigger", "default privileges"),
)
#: Those of which nothing but the name is known, in the same order. There are more.
_NAMED = (
    *("access method", "conversion", "language", "operator", "operator family", "operator class"),
    *("cast", "publication", "publication relation", "text search parser", "text search template"),
    *("text search dictionary", "text search configuration"),
)
#: Of these, those that tables need.
_BEFORE_TABLES = ("collation", "foreign-data wrapper", "server", "user mapping")
#: What else there is, which nothing needs.
_OTHERS = ("publication namespace", "subscription", "transform")
#: Every kind that PostgreSQL's objects can have.
KINDS = (*(kind for kind in _KINDS if kind != ORDER), *_BEFORE_TABLES, *_NAMED, *_OTHERS)
#: What stands in the way of changes of other things, and is dropped before these.
DROPPED_FIRST = set(_KINDS[_KINDS.index("view") :])
_CALLED = {"function", "procedure", "aggregate"}
_NAME = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
_NAMES = rf"{_NAME}(?:\.{_NAME})*"


def in_order(objects: Iterable[SchemaObject], catalogue: Catalogue) -> list[SchemaObject]:
    """Return objects of a schema, each after the others that it needs.

    It needs those which it names: without a search path, the server names all with their schema.
    Two that need each other stay in the order of their kinds.
    """
    ordered = sorted(objects, key=_place)
    if len(ordered) < 2:
        return ordered
    texts = {each.key: [each.name, *needed(each)] for each in ordered}
    for each in catalogue.values():
        if each.of in texts and each.key not in texts:
            texts[each.of] += needed(each)
    known = {called(each): each for each in reversed(ordered) if each.kind != ORDER}
    made: list[SchemaObject] = []
    begun: set[tuple[str, str]] = set()

    def make(one: SchemaObject) -> None:
        begun.add(one.key)
        for name in names_in("\n".join(texts[one.key])):
            other = known.get(name)
            if other and other.key not in begun:
                make(other)
        made.append(one)

    for each in ordered:
        if each.key not in begun:
            make(each)
    return made


def needed(one: SchemaObject) -> Iterator[str]:
    """Yield the facts that may name what an object needs."""
    # A column's default needs the sequence, which belongs to the column afterwards.
    yield from (value for name, value in one.facts.items() if name != "owned by")


def names_in(text: str) -> Iterator[str]:
    """Yield all names in `text`, and those that these begin with: a column's its table's."""
    for found in re.finditer(_NAMES, text):
        parts = re.findall(_NAME, found[0])
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def is_named_only(kind: str) -> bool:
    """Tell whether two objects of a kind with the same name count as the same."""
    return kind not in _KINDS


def _place(one: SchemaObject) -> tuple[int, int, str]:
    # A foreign key needs the key of another table.
    is_late = one.facts.get("definition", "").startswith("FOREIGN KEY")
    if one.kind in _BEFORE_TABLES:
        return _KINDS.index("sequence"), _BEFORE_TABLES.index(one.kind) + 1, one.name
    if is_named_only(one.kind):
        after = _NAMED.index(one.kind) if one.kind in _NAMED else len(_NAMED)
        return _KINDS.index("aggregate"), after + 1, one.name
    return _KINDS.index(one.kind), int(is_late), one.name


def called(one: SchemaObject) -> str:
    """Return how others name it: a function without its arguments."""
    return one.name.partition("(")[0] if one.kind in _CALLED else one.name

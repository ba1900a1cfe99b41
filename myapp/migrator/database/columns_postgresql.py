"""How PostgreSQL writes a column, with its sequence, and other lists of facts."""

import re
from collections.abc import Iterable, Iterator

from .catalogue import Catalogue, Facts, SchemaObject

_ITEM = re.compile(r"""("(?:[^"]|"")*"|[^ =]+)[ =](.*)""", re.DOTALL)
#: How each fact of a sequence is written.
_SEQUENCE = {
    "type": "AS",
    "increment": "INCREMENT BY",
    "minimum": "MINVALUE",
    "maximum": "MAXVALUE",
    "start": "START WITH",
    "cache": "CACHE",
}
#: What the sequence of an identity has by itself; most of it depends on the type.
_USUAL = {
    "increment": {"1"},
    "minimum": {"1"},
    "maximum": {"32767", "2147483647", "9223372036854775807"},
    "start": {"1"},
    "cache": {"1"},
    "cycle": set[str](),
}
#: What is set of a column that is there, and what it is then by itself.
SET_LATER = {"storage": "DEFAULT", "compression": "default", "statistics": "-1", "options": ""}


def column_clause(one: SchemaObject, expected: Catalogue) -> str:
    """Return a column as CREATE TABLE has it."""
    facts = one.facts
    clause = f"{one.bare} {typed(one)}"
    if "generated" in facts:
        clause += f" GENERATED ALWAYS AS {facts['generated']}"
    if "identity" in facts:
        clause += f" {identity(one, expected)}"
    return clause


def identity(one: SchemaObject, expected: Catalogue) -> str:
    """Return the clause that makes a column one of identity, with what its sequence has."""
    clause = f"GENERATED {one.facts['identity']} AS IDENTITY"
    for each in expected.values():
        if each.kind == "sequence" and each.of == one.key:
            usual = f"{_plain(table_of(one))}_{_plain(one.bare)}_seq"
            more = [] if _plain(each.name) == usual else [f"SEQUENCE NAME {each.name}"]
            facts = each.facts
            unlike = [fact for fact in facts if fact in _USUAL and facts[fact] not in _USUAL[fact]]
            more += sequence_clauses(each, unlike)
            return f"{clause} ({' '.join(more)})" if more else clause
    return clause


def _plain(name: str) -> str:
    return name.replace('"', "")


def typed(one: SchemaObject) -> str:
    """Return the type of a column or domain, its collation, default and NOT NULL."""
    facts = one.facts
    clause = facts["type"]
    if "collation" in facts:
        clause += f" COLLATE {facts['collation']}"
    if "default" in facts:
        clause += f" DEFAULT {facts['default']}"
    return clause + (" NOT NULL" if "not null" in facts else "")


def set_later(one: SchemaObject, fact: str, before: Facts) -> Iterator[str]:
    """Yield what sets a fact of a column that no CREATE TABLE has, where it has to be."""
    wanted, found = one.facts.get(fact), before.get(fact)
    start = f"ALTER TABLE {table_of(one)} ALTER COLUMN {one.bare}"
    if wanted == found:
        return
    if fact == "options":
        yield from options(start, wanted, found)
    else:  # version 16 has the word DEFAULT for a storage
        yield f"{start} SET {fact.upper()} {wanted or SET_LATER[fact]}"


def options(start: str, wanted: str | None, found: str | None) -> Iterator[str]:
    """Yield the statements that bring the options of an object from `found` to `wanted`."""
    gone = [n for n in item_names(found) if n not in item_names(wanted)]
    if gone:
        yield f"{start} RESET ({', '.join(gone)})"
    if wanted:
        yield f"{start} SET ({', '.join(items(wanted))})"


def sequence_clauses(one: SchemaObject, facts: Iterable[str]) -> Iterator[str]:
    """Yield what a statement says of these facts of a sequence."""
    for fact in facts:
        if fact in _SEQUENCE and fact in one.facts:
            yield f"{_SEQUENCE[fact]} {one.facts[fact]}"
        elif fact == "cycle":
            yield "CYCLE" if "cycle" in one.facts else "NO CYCLE"
        elif fact == "owned by":
            yield f"OWNED BY {one.facts.get(fact, 'NONE')}"


def items(fact: str | None) -> list[str]:
    """Return the items of a fact that is a list."""
    return fact.split(",\n") if fact else []


def named(item: str) -> tuple[str, str]:
    """Return the name of an item, and what it is."""
    found = _ITEM.match(item)
    return (found[1], found[2]) if found else (item, "")


def item_names(fact: str | None) -> list[str]:
    """Return the names of the items of a fact."""
    return [named(item)[0] for item in items(fact)]


def table_of(one: SchemaObject) -> str:
    """Return the name of the table or domain which an object is a part of."""
    assert one.of is not None  # noqa: S101 - a part of a table or domain
    return one.of[1]

"""The statements that bring one object of a PostgreSQL schema back to what is expected."""

from collections.abc import Iterable, Iterator

from .catalogue import LOST, ORDER, Catalogue, Difference, SchemaObject
from .columns_postgresql import (
    identity,
    items,
    named,
    options,
    sequence_clauses,
    set_later,
    table_of,
)
from .creation_postgresql import (
    commented,
    created,
    enabling,
    granted,
    owned,
    view,
    without_schema,
)
from .making_order import is_named_only

#: What no statement undoes, by kind or fact, and else.
_NO_WAY = {
    ORDER: "The order of columns can't be changed: that takes a new table.",
    "enum": "No statement takes a value out of an enum type, or moves it: that takes a new type.",
    "": "No statement changes that: it has to be dropped and made again, with what depends on it.",
}
_FITTED = "A value that doesn't fit the type is rounded, or stops the statement."
#: Of which nothing but the name is known, and what a statement takes away by that name.
_NAMED = {
    "added": "Nothing but its name is known: take it away by hand.",
    "missing": "Nothing but its name is known: its revision says how it is made.",
}
_DROPPED = {
    *("access method", "cast", "collation", "conversion", "foreign-data wrapper", "language"),
    *("operator", "operator class", "operator family", "publication", "server", "subscription"),
    *("text search configuration", "text search dictionary", "text search parser"),
    "text search template",
}


def undo(difference: Difference, expected: Catalogue) -> tuple[list[str], str]:
    """Return statements, and why there are none or what they leave."""
    one, other = difference.expected, difference.found
    if one is None:
        statements = dropped(other) if other else []
        lost = LOST.get(difference.kind, "")
        return statements, lost if statements or lost else _NAMED["added"]
    if other is None:
        statements = list(created(one, expected))
        return statements, "" if statements else _NAMED["missing"]
    statements = []
    notes: list[str] = []
    for fact in difference.changed:
        made = list(_changed(one, other, fact, expected))
        statements += [each for each in made if each not in statements]
        if (one.kind, fact) == ("column", "type"):
            notes.append(_FITTED)
        if not made:
            notes.append(_NO_WAY.get(one.kind) or _NO_WAY.get(fact) or _NO_WAY[""])
    return statements, " ".join(dict.fromkeys(notes))


def dropped(found: SchemaObject) -> list[str]:
    """Return the statements that take an object away."""
    kind, name = found.kind, found.name
    if kind in ("table", "foreign table") and "partition of" in found.facts:
        # A foreign key to the whole would stand in the way.
        of = found.facts["partition of"]
        return [f"ALTER TABLE {of} DETACH PARTITION {name}", f"DROP {kind.upper()} {name}"]
    if kind == "user mapping":
        return [f"DROP USER MAPPING FOR {name.replace(' on server ', ' SERVER ', 1)}"]
    if kind == "publication relation":
        relation, _, publication = name.rpartition(" in publication ")
        return [f"ALTER PUBLICATION {publication} DROP TABLE {relation}"]
    if is_named_only(kind) and kind not in _DROPPED:
        return []
    if kind in ("column", "constraint"):
        return [f"ALTER TABLE {table_of(found)} DROP {kind.upper()} {found.bare}"]
    if kind == "domain constraint":
        return [f"ALTER DOMAIN {table_of(found)} DROP CONSTRAINT {found.bare}"]
    if kind == "default privileges":
        return list(granted(found, "", found.facts.get("privileges", "")))
    return [f"DROP {kind.upper().replace('-', ' ')} {name}"]


def _again(one: SchemaObject, expected: Catalogue) -> Iterator[str]:
    yield from dropped(one)
    yield from created(one, expected)


def _changed(
    one: SchemaObject, other: SchemaObject, fact: str, expected: Catalogue
) -> Iterable[str]:
    """Return the statements that bring one fact of `other` back to that of `one`."""
    wanted, found = one.facts.get(fact), other.facts.get(fact)
    kind, name = one.kind, one.name
    if fact == "comment":
        return commented(one, wanted)
    if fact == "privileges":
        return granted(one, wanted or "", found or "")
    if fact == "owner":
        return [] if one.is_of_column else [owned(one)]
    if fact == "enabled":
        return enabling(one)
    if fact == "options" and kind != "column":
        return options(f"ALTER {kind.upper()} {name}", wanted, found)
    if kind in ("table", "foreign table"):
        return _table_changed(one, fact, wanted, found)
    if kind == "column":
        return _column_changed(one, other, fact, expected)
    if kind == "sequence":
        return [f"ALTER SEQUENCE {name} {' '.join(sequence_clauses(one, [fact]))}"]
    if kind in ("type", "domain"):
        return _type_changed(one, fact, wanted, found)
    if kind == "extension":
        return [f"ALTER EXTENSION {name} SET SCHEMA {wanted}"] if fact == "schema" else []
    if kind == "constraint" and f"{wanted} NOT VALID" == found:
        return [f"ALTER TABLE {table_of(one)} VALIDATE CONSTRAINT {one.bare}"]
    if kind == "constraint" and fact == "disabled on":
        return [f"ALTER TABLE {each} ENABLE TRIGGER ALL" for each in (found or "").split(", ")]
    if kind == "index" and fact == "valid":
        return [f"REINDEX INDEX {name}"]
    if kind == "index" and fact == "clustered":
        clause = f"CLUSTER ON {without_schema(one)}" if wanted else "SET WITHOUT CLUSTER"
        return [f"ALTER TABLE {table_of(one)} {clause}"]
    if kind == "materialized view" and fact == "populated":
        return [f"REFRESH MATERIALIZED VIEW {name}{' WITH NO DATA' if wanted else ''}"]
    if kind == "view" and _can_be_replaced(one, other):
        return [view(one, "CREATE OR REPLACE")]
    is_same_call = (wanted or "").split("\n")[:2] == (found or "").split("\n")[:2]
    if kind in ("function", "procedure") and is_same_call:
        return [str(wanted).rstrip()]
    return [] if kind == ORDER else _again(one, expected)


def _can_be_replaced(one: SchemaObject, other: SchemaObject) -> bool:
    """Tell whether a view only gets other contents, or more columns: others may be made of it."""
    columns = items(other.facts.get("columns"))
    return items(one.facts.get("columns"))[: len(columns)] == columns


def _table_changed(
    one: SchemaObject, fact: str, wanted: str | None, found: str | None
) -> Iterator[str]:
    start = f"ALTER TABLE {one.name}"
    if fact == "unlogged":
        yield f"{start} SET {'UNLOGGED' if wanted else 'LOGGED'}"
    elif fact == "row level security":
        yield f"{start} {'ENABLE' if wanted else 'DISABLE'} ROW LEVEL SECURITY"
    elif fact == "forced row level security":
        yield f"{start} {'' if wanted else 'NO '}FORCE ROW LEVEL SECURITY"
    elif fact == "replica identity":
        yield f"{start} REPLICA IDENTITY {wanted or 'DEFAULT'}"
    elif fact == "access method":
        yield f"{start} SET ACCESS METHOD {wanted or 'heap'}"
    elif fact == "inherits":
        yield from (f"{start} NO INHERIT {each}" for each in (found or "").split(", ") if each)
        yield from (f"{start} INHERIT {each}" for each in (wanted or "").split(", ") if each)
    elif fact in ("partition of", "bound"):
        # The bound goes with it.
        of, bound = one.facts.get("partition of"), one.facts.get("bound")
        if fact == "partition of" and found:
            yield f"ALTER TABLE {found} DETACH PARTITION {one.name}"
        elif fact == "bound" and of and found:
            yield f"ALTER TABLE {of} DETACH PARTITION {one.name}"
        if of:
            yield f"ALTER TABLE {of} ATTACH PARTITION {one.name} {bound}"


def _cast(column: str, wanted: str, found: str) -> str:
    """Return the clause that casts a column's values where PostgreSQL does it only if told to.

    Elsewhere a value that is too long stops the statement. A cast that is written cuts it.
    """
    is_text = wanted.startswith("character") and wanted.endswith("]") == found.endswith("]")
    if is_text or wanted.partition("(")[0] == found.partition("(")[0]:
        return ""
    return f" USING {column}::{wanted}"


def _column_changed(
    one: SchemaObject, other: SchemaObject, fact: str, expected: Catalogue
) -> Iterator[str]:
    wanted, found = one.facts.get(fact), other.facts.get(fact)
    start = f"ALTER TABLE {table_of(one)} ALTER COLUMN {one.bare}"
    if fact in ("type", "collation"):
        if "default" in other.facts:
            yield f"{start} DROP DEFAULT"
        collation = one.facts.get("collation")
        collate = f" COLLATE {collation}" if collation else ""
        type_ = one.facts["type"]
        yield f"{start} TYPE {type_}{collate}{_cast(one.bare, type_, other.facts['type'])}"
        if "default" in one.facts:
            yield f"{start} SET DEFAULT {one.facts['default']}"
    elif fact in ("default", "not null"):
        yield _set_or_dropped(start, fact, wanted)
    elif fact == "identity":
        if not wanted:
            yield f"{start} DROP IDENTITY"
        elif found:
            yield f"{start} SET GENERATED {wanted}"
        else:
            if "default" in other.facts:
                yield f"{start} DROP DEFAULT"
            yield f"{start} SET NOT NULL"
            yield f"{start} ADD {identity(one, expected)}"
    elif fact == "generated":
        if not wanted:
            yield f"{start} DROP EXPRESSION"
        else:  # that of a column that has none can't be added
            yield from _again(one, expected)
    else:
        yield from set_later(one, fact, other.facts)


def _type_changed(
    one: SchemaObject, fact: str, wanted: str | None, found: str | None
) -> Iterator[str]:
    start = f"ALTER {one.kind.upper()} {one.name}"
    if fact == "enum":
        values, others = items(wanted), items(found)
        if [value for value in values if value in others] != others:
            return
        for at, value in enumerate(values):
            if value not in others:
                place = f" AFTER {values[at - 1]}" if at else f" BEFORE {others[0]}"
                yield f"{start} ADD VALUE {value}{place if others else ''}"
    elif fact == "attributes" and one.kind == "type":
        before = dict(map(named, items(found)))
        after = dict(map(named, items(wanted)))
        if [*(n for n in before if n in after), *(n for n in after if n not in before)] != [*after]:
            return  # a new one is the last
        yield from (f"{start} DROP ATTRIBUTE {name}" for name in before if name not in after)
        for name, type_ in after.items():
            if name not in before:
                yield f"{start} ADD ATTRIBUTE {name} {type_}"
            elif before[name] != type_:
                yield f"{start} ALTER ATTRIBUTE {name} TYPE {type_}"
    elif one.kind == "domain" and fact in ("default", "not null"):
        yield _set_or_dropped(start, fact, wanted)


def _set_or_dropped(start: str, fact: str, wanted: str | None) -> str:
    """Return the change of a default or of NOT NULL: columns and domains have the same words."""
    value = f" {wanted}" if wanted and fact == "default" else ""
    return f"{start} {'SET' if wanted else 'DROP'} {fact.upper()}{value}"

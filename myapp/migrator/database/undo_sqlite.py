"""The statements that bring one object of an SQLite schema back to what is expected."""

from collections.abc import Iterator, Sequence

from .catalogue import LOST, Catalogue, Difference, SchemaObject
from .making_order import in_order

_NEW_TABLE = "SQLite can't change that: build the table again with"


def undo_all(
    differences: Sequence[Difference],
    expected: Catalogue,
    found: Catalogue,
) -> Iterator[tuple[list[str], str]]:
    """Yield what `undo` returns for each difference: nothing else is in its way."""
    return (undo(each, expected) for each in differences)


def undo(difference: Difference, expected: Catalogue) -> tuple[list[str], str]:
    """Return statements, and why there are none."""
    one, other = difference.expected, difference.found
    kind, name = difference.kind, difference.name
    only = one or other
    if only and only.of and kind not in ("index", "trigger"):
        table = only.of[1]
        if kind == "column" and one is None:
            return [f"ALTER TABLE {table} DROP COLUMN {only.bare}"], LOST[kind]
        if kind == "column" and other is None and one and _can_be_added(one):
            return [f"ALTER TABLE {table} ADD COLUMN {_clause(one)}"], ""
        return [], f"{_NEW_TABLE}\n{created_table(table, expected)}"
    if kind == "table" and one and other:
        return [], f"{_NEW_TABLE}\n{created_table(name, expected)}"
    statements = [f"DROP {kind.upper()} {name}"] if other else []
    if one is None:
        return statements, LOST.get(kind, "")
    if kind == "table" and "definition" not in one.facts:
        statements.append(created_table(name, expected))
        parts = [each for each in expected.values() if each.of == ("table", name)]
        made = [each for each in in_order(parts, expected) if each.kind in ("index", "trigger")]
        statements += [each.facts["definition"] for each in made]
    else:
        statements.append(one.facts["definition"])
    return statements, ""


def created_table(name: str, expected: Catalogue) -> str:
    """Return the statement that makes a table, without its indexes."""
    order = expected["column order", name].facts["columns"].split("\n")
    clauses = [_clause(expected["column", f"{name}.{column}"]) for column in order]
    for each in expected.values():
        if each.kind == "constraint" and each.of == ("table", name):
            definition = each.facts["definition"]
            is_named = each.bare != definition
            clauses.append(f"CONSTRAINT {each.bare} {definition}" if is_named else definition)
    options = expected["table", name].facts.get("options")
    body = ",\n    ".join(clauses)
    return f"CREATE TABLE {name} (\n    {body}\n){f' {options}' if options else ''}"


def _can_be_added(one: SchemaObject) -> bool:
    default = one.facts.get("default", "NULL")
    is_constant = not default.startswith(("(", "CURRENT_"))
    is_filled = "not null" not in one.facts or default != "NULL"
    return is_constant and is_filled and not one.facts.get("generated", "").endswith("STORED")


def _clause(one: SchemaObject) -> str:
    facts = one.facts
    clause = one.bare
    clause += f" {facts['type']}" if "type" in facts else ""
    if "collation" in facts:
        clause += f" COLLATE {facts['collation']}"
    if "not null" in facts:
        clause += " NOT NULL" + ("" if facts["not null"] == "yes" else f" {facts['not null']}")
    if "default" in facts:
        clause += f" DEFAULT {facts['default']}"
    if "generated" in facts:
        clause += f" GENERATED ALWAYS AS {facts['generated']}"
    return clause

"""The statements that make one object of a PostgreSQL schema, with all that is a part of it."""

from collections.abc import Iterator

from ..base.quoting import literal
from .catalogue import Catalogue, SchemaObject, end_of_schema
from .columns_postgresql import (
    SET_LATER,
    column_clause,
    items,
    sequence_clauses,
    set_later,
    table_of,
    typed,
)
from .making_order import in_order

#: What is granted on, where that is not the kind itself.
_GRANTED = {
    "view": "TABLE",
    "materialized view": "TABLE",
    "foreign table": "TABLE",
    "aggregate": "FUNCTION",
    "domain": "TYPE",
}


def created(one: SchemaObject, expected: Catalogue) -> Iterator[str]:
    """Yield the statements for an object, its comment and privileges, and for its parts."""
    # Those of a column's default are needed before it, and belong to it afterwards.
    sequences = list(_owned(one, expected))
    for each in sequences:
        facts = [fact for fact in each.facts if fact != "owned by"]
        yield f"CREATE SEQUENCE {each.name} {' '.join(sequence_clauses(each, facts))}"
    yield from (statement.rstrip() for statement in _created(one, expected))
    for each in sequences:
        yield f"ALTER SEQUENCE {each.name} OWNED BY {each.facts['owned by']}"
    if "owner" in one.facts and not one.is_of_column:
        yield owned(one)
    yield from commented(one, one.facts.get("comment")) if "comment" in one.facts else ()
    if one.kind == "column":
        yield from (each for fact in SET_LATER for each in set_later(one, fact, {}))
    if one.kind != "default privileges":
        yield from granted(one, one.facts.get("privileges", ""), "")
    if "enabled" in one.facts:
        yield from enabling(one)
    if one.kind in ("column", "domain"):
        return
    parts = [each for each in expected.values() if each.of == one.key]
    for each in in_order(parts, expected):
        if each.kind == "column":  # its table has it
            yield from commented(each, each.facts.get("comment")) if "comment" in each.facts else ()
            yield from granted(each, each.facts.get("privileges", ""), "")
            yield from (made for fact in SET_LATER for made in set_later(each, fact, {}))
            if "default" in each.facts and one.kind == "view":
                default = each.facts["default"]
                yield f"ALTER VIEW {one.name} ALTER COLUMN {each.bare} SET DEFAULT {default}"
        elif each.kind != "column order":
            yield from created(each, expected)
    if (identity := one.facts.get("replica identity", "")).startswith("USING"):
        yield f"ALTER TABLE {one.name} REPLICA IDENTITY {identity}"


def _owned(one: SchemaObject, expected: Catalogue) -> Iterator[SchemaObject]:
    """Yield the sequences that belong to a column, or to those of a table."""
    for each in expected.values():
        if each.kind == "sequence" and "owned by" in each.facts and each.of:
            column = expected[each.of]
            if one.key in (column.of, each.of):
                yield each


def _created(one: SchemaObject, expected: Catalogue) -> Iterator[str]:
    kind, name, facts = one.kind, one.name, one.facts
    definition = facts.get("definition", "")
    if kind == "schema":
        yield f"CREATE SCHEMA {name}"
    elif kind == "extension":
        yield f"CREATE EXTENSION {name} SCHEMA {facts['schema']}"
    elif kind in ("table", "foreign table"):
        yield from _table(one, expected)
    elif kind == "column":
        yield f"ALTER TABLE {table_of(one)} ADD COLUMN {column_clause(one, expected)}"
    elif kind == "constraint":
        yield f"ALTER TABLE {table_of(one)} ADD CONSTRAINT {one.bare} {definition}"
    elif kind == "domain constraint":
        yield f"ALTER DOMAIN {table_of(one)} ADD CONSTRAINT {one.bare} {definition}"
    elif kind == "index":
        yield definition.replace(f" ON ONLY {table_of(one)} ", f" ON {table_of(one)} ", 1)
        if "clustered" in facts:
            yield f"ALTER TABLE {table_of(one)} CLUSTER ON {without_schema(one)}"
    elif kind == "sequence":
        yield f"CREATE SEQUENCE {name} {' '.join(sequence_clauses(one, facts))}"
    elif kind in ("view", "materialized view"):
        yield view(one, "CREATE")
    elif kind == "aggregate":
        yield f"CREATE AGGREGATE {name} ({definition})"
    elif kind == "policy":
        yield _policy(one)
    elif kind == "type":
        yield _type(one)
    elif kind == "domain":
        yield f"CREATE DOMAIN {name} AS {typed(one)}"
        constraints = [each for each in expected.values() if each.of == (kind, name)]
        yield from (each for one in constraints for each in created(one, expected))
    elif kind == "event trigger":
        tags = facts.get("tags")
        quoted = ", ".join(f"'{tag}'" for tag in items(tags))
        when = f" WHEN TAG IN ({quoted})" if tags else ""
        function = f"EXECUTE FUNCTION {facts['function']}()"
        yield f"CREATE EVENT TRIGGER {name} ON {facts['event']}{when} {function}"
    elif kind == "default privileges":
        yield from granted(one, facts.get("privileges", ""), "")
    elif definition:
        yield definition  # a function, trigger, rule or statistics


def view(one: SchemaObject, how: str) -> str:
    """Return the statement that makes a view; `how` is the way that it begins."""
    definition = one.facts["definition"].rstrip(";")
    no_data = " WITH NO DATA" if "populated" in one.facts else ""
    return f"{how} {one.kind.upper()} {one.name}{_options(one)} AS{definition}{no_data}"


def _options(one: SchemaObject) -> str:
    return f" WITH ({', '.join(items(one.facts['options']))})" if "options" in one.facts else ""


def _table(one: SchemaObject, expected: Catalogue) -> Iterator[str]:
    name, facts, options = one.name, one.facts, _options(one)
    start = f"CREATE {'UNLOGGED ' if 'unlogged' in facts else ''}{one.kind.upper()} {name}"
    by = f" PARTITION BY {facts['partition by']}" if "partition by" in facts else ""
    if "partition of" in facts:
        yield f"{start} PARTITION OF {facts['partition of']} {facts['bound']}{by}{options}"
    else:
        of = one.key
        columns = (each for each in expected.values() if (each.kind, each.of) == ("column", of))
        clauses = [column_clause(each, expected) for each in columns]
        inherits = f" INHERITS ({facts['inherits']})" if "inherits" in facts else ""
        server = f" SERVER {facts['server']}" if "server" in facts else ""
        body = ",\n    ".join(clauses)
        yield f"{start} (\n    {body}\n){inherits}{by}{options}{server}"
    alter = f"ALTER TABLE {name}"
    if "row level security" in facts:
        yield f"{alter} ENABLE ROW LEVEL SECURITY"
    if "forced row level security" in facts:
        yield f"{alter} FORCE ROW LEVEL SECURITY"
    if "replica identity" in facts and "INDEX" not in facts["replica identity"]:
        yield f"{alter} REPLICA IDENTITY {facts['replica identity']}"


def _type(one: SchemaObject) -> str:
    facts = one.facts
    if "enum" in facts:
        return f"CREATE TYPE {one.name} AS ENUM ({', '.join(items(facts['enum']))})"
    if "range of" in facts:
        return f"CREATE TYPE {one.name} AS RANGE (SUBTYPE = {facts['range of']})"
    return f"CREATE TYPE {one.name} AS ({', '.join(items(facts.get('attributes')))})"


def owned(one: SchemaObject) -> str:
    """Return the statement that gives an object to its owner."""
    return f"ALTER {one.kind.upper()} {one.name} OWNER TO {one.facts['owner']}"


def _policy(one: SchemaObject) -> str:
    facts = one.facts
    made = f"CREATE POLICY {one.name}"
    for fact in ("as", "for", "to"):
        made += f" {fact.upper()} {facts[fact]}" if fact in facts else ""
    for fact in ("using", "with check"):
        made += f" {fact.upper()} ({facts[fact]})" if fact in facts else ""
    return made


def commented(one: SchemaObject, comment: str | None) -> list[str]:
    """Return the statement that gives an object a comment, or none."""
    text = "NULL" if comment is None else literal(comment)
    kind = "CONSTRAINT" if one.kind == "domain constraint" else one.kind.upper()
    return [f"COMMENT ON {kind} {one.name} IS {text}"]


def granted(one: SchemaObject, wanted: str, found: str) -> Iterator[str]:
    """Yield statements that bring the privileges on an object from `found` to `wanted`."""
    after, before = wanted.split("\n"), found.split("\n")
    for line in [_opposite(line) for line in before if line and line not in after]:
        yield _grant(one, line)
    for line in [line for line in after if line and line not in before]:
        yield _grant(one, line)


def _opposite(line: str) -> str:
    if line.startswith("GRANT "):
        return "REVOKE " + line[6:].removesuffix(" WITH GRANT OPTION").replace(" TO ", " FROM ", 1)
    return "GRANT " + line[7:].replace(" FROM ", " TO ", 1)


def _grant(one: SchemaObject, line: str) -> str:
    verb, privilege, rest = line.split(" ", 2)
    if one.kind == "default privileges":
        where, _, objects = one.name.rpartition(" ON ")
        return f"ALTER DEFAULT PRIVILEGES {where} {verb} {privilege} ON {objects} {rest}"
    kind, name = _GRANTED.get(one.kind, one.kind.upper()), one.name
    if one.kind == "column":
        privilege, kind, name = f"{privilege} ({one.bare})", "TABLE", table_of(one)
    return f"{verb} {privilege} ON {kind} {name} {rest}"


def enabling(one: SchemaObject) -> list[str]:
    """Return the statement that lets a trigger or rule fire as it should."""
    state = one.facts.get("enabled", "")
    how = {"no": "DISABLE", "": "ENABLE", "replica": "ENABLE REPLICA", "always": "ENABLE ALWAYS"}
    if one.kind == "event trigger":
        return [f"ALTER EVENT TRIGGER {one.name} {how[state]}"]
    return [f"ALTER TABLE {table_of(one)} {how[state]} {one.kind.upper()} {one.bare}"]


def without_schema(one: SchemaObject) -> str:
    """Return the name of a part of a table without the schema, which is that of the table."""
    return one.name[end_of_schema(one.name) :]

"""The safe ways to add a column: the code of revisions, ready to paste."""

import re
from collections.abc import Callable, Iterator, Mapping

from ..base.quoting import literal, quoted
from . import safe_ways
from .ddl import Change, changes, masked, plain
from .operation_code import (
    computed,
    execute,
    fill,
    made_name,
    new_column,
    new_default,
    not_null,
    schema_argument,
    trigger,
)

#: The linter's rule for a column whose value the rows that are there can't have.
REQUIRED = "adding-required-field"
_CLAUSE = re.compile(
    r"\b(?:CONSTRAINT (?P<name>\S+) )?(?P<clause>NOT NULL|NULL|(?<!BY )(?<!SET )DEFAULT|GENERATED"
    r"|CHECK|UNIQUE|PRIMARY KEY|REFERENCES|COLLATE)\b(?<!SET NULL)",
    re.I,
)
_SERIAL = {
    "smallserial": "smallint",
    "serial2": "smallint",
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
}
#: Values that PostgreSQL keeps once for all rows, instead of in each.
_CONSTANT = re.compile(
    r"(-?[\d.]+|(E?'(?:[^']|'')*')|true|false|null|now\(\)|current_\w+)(::[\w ()]+)?", re.I
)
_IDENTITY = re.compile(r"(ALWAYS|BY DEFAULT) AS IDENTITY\b ?(.*)", re.I)
_COMPUTED = re.compile(r"ALWAYS AS \((.+)\) STORED", re.I | re.S)
_NO_SAME = (
    "# PostgreSQL writes the whole table to add a stored generated column."
    " This one is filled by a trigger."
)


def rule(change: Change) -> str | None:
    """Return the rule that a new column breaks if its table is read or written as a whole."""
    parts = _parts(change)
    if "GENERATED" in parts or _is_varying(parts):
        return "column-default-rewrites"
    if "PRIMARY KEY" in parts:
        return "primary-key-builds-index"
    if "UNIQUE" in parts:
        return "unique-constraint-builds-index"
    if "CHECK" in parts:
        return "check-validated-at-once"
    return REQUIRED if "NOT NULL" in parts and "DEFAULT" not in parts else None


def add_column(change: Change) -> list[str]:
    """Return how to add a column: bare, then filled in the rows that are there, then bound."""
    column, parts = change.name("column"), _parts(change)
    generated = parts.get("GENERATED", "")
    steps, last = _filled(change, column, parts), []
    if identity := _IDENTITY.match(generated):
        last = [_identity(change, column, identity)]
    elif _COMPUTED.match(generated):
        steps[0] = f"{_NO_SAME}\n{steps[0]}"
    is_new = "NOT NULL" in parts and not generated and not _is_varying(parts)
    is_bound = "NOT NULL" in parts or last or parts["type"].lower() in _SERIAL
    # A primary key's way has that of NOT NULL in it.
    is_left = is_bound and not is_new and "PRIMARY KEY" not in parts
    steps += not_null(change, column) if is_left else []
    return [*steps, *_bounds(change, column, parts), *last]


def required(change: Change) -> list[str]:
    """Return how to add a column that may not be NULL, and has no default, to a table with rows."""
    column = change.name("column")
    return [
        new_column(change, column, _parts(change)["type"]),
        f"pass  # fill {column} in all rows, when the running code fills it in each new one",
        *not_null(change, column),
    ]


def _bounds(change: Change, column: str, parts: Mapping[str, str]) -> Iterator[str]:
    """Yield how to add the constraints of a column that is there."""
    name = quoted(column)
    clauses: dict[str, tuple[str, Callable[[Change], list[str]]]] = {
        "CHECK": (f"CHECK {parts.get('CHECK')}", safe_ways.check),
        "UNIQUE": (f"UNIQUE ({name}) {parts.get('UNIQUE')}", safe_ways.unique),
        "PRIMARY KEY": (f"PRIMARY KEY ({name}) {parts.get('PRIMARY KEY')}", safe_ways.primary_key),
        "REFERENCES": (
            f"FOREIGN KEY ({name}) REFERENCES {parts.get('REFERENCES')}",
            safe_ways.foreign_key,
        ),
    }
    for clause in [each for each in clauses if each in parts]:
        sql, way = clauses[clause]
        given = parts.get(f"CONSTRAINT {clause}")
        if clause == "CHECK" and not given:
            given = quoted(made_name(change, column, "check"))
        added = f"ADD CONSTRAINT {given} {sql}" if given else f"ADD {sql}"
        (made,) = changes(f"ALTER TABLE {change.sql_table} {added}")
        yield from way(made)


def _filled(change: Change, column: str, parts: Mapping[str, str]) -> list[str]:
    """Return how to add a column with its values, which the bounds have yet to follow."""
    type_, generated = parts["type"], parts.get("GENERATED", "")
    if found := _COMPUTED.match(generated):
        made = new_column(change, column, type_)
        made += "\n" + trigger(change, column, computed(change, column, found[1]))
        return [made, fill(change, column, found[1])]
    if _is_varying(parts) or _IDENTITY.match(generated):
        before, default = "", parts.get("DEFAULT", "")
        made = new_column(change, column, _SERIAL.get(type_.lower(), type_))
        if not default:
            sequence = _sequence(change, column, "seq" if type_.lower() in _SERIAL else "fill")
            identity = _IDENTITY.match(generated)
            of = f" {identity[2].strip('( )')}" if identity else f" AS {_SERIAL[type_.lower()]}"
            before = execute(f"CREATE SEQUENCE {sequence}{of}".rstrip()) + "\n"
            default = f"nextval({literal(sequence)})"
            if not generated:
                owner = f"{change.sql_table}.{quoted(column)}"
                made += "\n" + execute(f"ALTER SEQUENCE {sequence} OWNED BY {owner}")
        made += "\n" + new_default(change, column, default)
        return [before + made, fill(change, column, default, may_be_null=False)]
    default, nullable = parts.get("DEFAULT", ""), "NOT NULL" not in parts
    return [new_column(change, column, type_, default, nullable=nullable)]


def _identity(change: Change, column: str, found: re.Match[str]) -> str:
    """Return what makes an identity of a column that a sequence has filled."""
    table, always, options = plain(change.table), found[1].upper() == "ALWAYS", found[2].strip()
    alter = f"op.alter_column({table!r}, {column!r}{schema_argument(change)}, server_default="
    made = f"{alter}sa.Identity({'always=True' if always else ''}))"
    if options:
        made = execute(
            f"ALTER TABLE {change.sql_table} ALTER COLUMN {quoted(column)}"
            f" ADD GENERATED {found[1]} AS IDENTITY {options}"
        )
    sequence = _sequence(change, column, "fill")
    own = f"pg_get_serial_sequence({literal(change.sql_table)}, {literal(column)})"
    setval = f"SELECT setval({own}, nextval({literal(sequence)}), false)"
    return "\n".join([f"{alter}None)", made, execute(setval), execute(f"DROP SEQUENCE {sequence}")])


def _sequence(change: Change, column: str, ending: str) -> str:
    schema = f"{change.schema}." if change.schema else ""
    return schema + quoted(made_name(change, column, ending))


def _is_varying(parts: Mapping[str, str]) -> bool:
    default = parts.get("DEFAULT", "")
    return parts["type"].lower() in _SERIAL or bool(default and not _CONSTANT.fullmatch(default))


def _parts(change: Change) -> dict[str, str]:
    """Return the type of a new column, and its clauses by their first words."""
    rest = change.get("rest")
    found = [*_CLAUSE.finditer(masked(rest))]
    ends = [each.start() for each in found[1:]] + [len(rest)]
    parts = {"type": (rest[: found[0].start()] if found else rest).strip()}
    for each, end in zip(found, ends, strict=False):
        clause = each["clause"].upper()
        parts[clause] = rest[each.end() : end].strip()
        if each["name"]:
            parts[f"CONSTRAINT {clause}"] = rest[each.start("name") : each.end("name")]
    if "COLLATE" in parts:
        parts["type"] += f" COLLATE {parts['COLLATE']}"
    return parts

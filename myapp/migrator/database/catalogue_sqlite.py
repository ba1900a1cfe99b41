"""The schema of an SQLite database, from the statements that it keeps."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.engine import Connection

from .catalogue import ORDER, SchemaObject
from .sqlite_syntax import clauses, parts, text, words

_STATEMENTS = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
    " AND name NOT LIKE 'sqlite^_%' ESCAPE '^'"
    " AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')"
    " ORDER BY type <> 'table', type <> 'view', name"
)
_OF_TABLE = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
#: What the parts of a column's clause begin with; `_joined` puts some of them together again.
_OF_COLUMN = _OF_TABLE | {"NOT", "NULL", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS"}


def objects(connection: Connection) -> Iterator[SchemaObject]:
    """Yield the objects of the main schema, each after the table that it is a part of."""
    kinds = {}
    for kind, name, table, sql in connection.exec_driver_sql(_STATEMENTS).all():
        tokens = words(sql)
        if kind == "table" and tokens[1] != "VIRTUAL":
            kinds[table] = kind
            yield from _table(named(name), tokens)
            continue
        of = None if kind in ("table", "view") else (kinds[table], named(table))
        kinds.setdefault(table, kind)
        yield SchemaObject(kind, named(name), of, {"definition": text(tokens)})


def named(name: str) -> str:
    """Return a name as SQL has it, in the form in which names are compared."""
    return words('"' + name.replace('"', '""') + '"')[0]


def _table(name: str, tokens: Sequence[str]) -> Iterator[SchemaObject]:
    found, options = clauses(tokens)
    table = ("table", name)
    columns = []
    inner: list[SchemaObject] = []
    constraints: list[list[str]] = []
    for clause in found:
        if clause[0] in _OF_TABLE:
            constraints += _joined(parts(clause, _OF_TABLE))
            continue
        columns.append(clause[0])
        facts, own = _column(clause)
        inner.append(SchemaObject("column", f"{name}.{clause[0]}", table, facts))
        constraints += own
    for part in constraints:
        is_named = part[0] == "CONSTRAINT"
        definition = text(part[2:] if is_named else part)
        # Without a name of its own, it is called by what it says.
        known = f"{part[1] if is_named else definition} ON {name}"
        inner.append(SchemaObject("constraint", known, table, {"definition": definition}))
    yield SchemaObject(*table, None, {"options": text(options)} if options else {})
    yield SchemaObject(ORDER, name, table, {"columns": "\n".join(columns)})
    yield from inner


def _column(clause: Sequence[str]) -> tuple[dict[str, str], list[list[str]]]:
    """Return the facts of a column, and its constraints as a table would have them."""
    (column, *type_), *rest = parts(clause, _OF_COLUMN)
    facts = {"type": text(type_)} if type_ else {}
    constraints = []
    for part in _joined(rest):
        name = part[:2] if part[0] == "CONSTRAINT" else []
        what, *more = part[len(name) :]
        if what == "NOT":
            facts["not null"] = text(more[1:]) or "yes"
        elif what == "DEFAULT":
            facts["default"] = text(more)
        elif what == "COLLATE":
            facts["collation"] = text(more)
        elif what in ("GENERATED", "AS"):
            facts["generated"] = text(part[part.index("AS") + 1 :])
        elif what == "UNIQUE":
            constraints.append([*name, "UNIQUE", "(", column, ")", *more])
        elif what == "PRIMARY":
            constraints.append([*name, "PRIMARY", "KEY", "(", column, *more[1:], ")"])
        elif what == "REFERENCES":
            constraints.append([*name, "FOREIGN", "KEY", "(", column, ")", what, *more])
        elif what == "CHECK":
            constraints.append([*name, what, *more])
    return facts, constraints


def _joined(found: Iterable[list[str]]) -> list[list[str]]:
    """Return the parts of a clause, with those as one that belong together."""
    joined: list[list[str]] = []
    for part in found:
        before = joined[-1] if joined else []
        is_named = len(before) == 2 and before[0] == "CONSTRAINT"
        is_null = part == ["NULL"] and before[-1:] in (["NOT"], ["DEFAULT"], ["SET"])
        is_null = is_null or (part[:2] == ["NULL", "ON"] and before[-1:] == ["NOT"])
        is_generated = part[0] == "AS" and before[-1:] == ["ALWAYS"]
        if is_named or is_null or is_generated or part[:2] == ["NOT", "DEFERRABLE"]:
            before += part
        else:
            joined.append(part)
    return joined

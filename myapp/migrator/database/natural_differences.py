"""What differs between a database and a new one of the same revisions, though nobody changed it.

Another role may have made it, an extension may be older, and its administrator may have given
rights on all that is made there.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .catalogue import Catalogue, SchemaObject, catalogue

_OWN_TABLE = sa.text(
    "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),"
    " quote_ident(pg_get_userbyid(c.relowner))"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = :schema AND c.relname = :name"
)
#: What default privileges are for, by kind.
_DEFAULTS = {
    "table": "TABLES",
    "view": "TABLES",
    "materialized view": "TABLES",
    "foreign table": "TABLES",
    "sequence": "SEQUENCES",
    "function": "FUNCTIONS",
    "procedure": "FUNCTIONS",
    "aggregate": "FUNCTIONS",
    "type": "TYPES",
    "domain": "TYPES",
    "schema": "SCHEMAS",
}


class Schema(NamedTuple):
    """A schema without its version table, and the role that owns that; SQLite has no roles.

    `release` is that of the server, which writes the definitions.
    """

    catalogue: Catalogue
    owner: str
    release: int


def schema_of(connection: Connection, version_table: tuple[str | None, str]) -> Schema:
    """Return the schema of a database, whose version table has this schema and name.

    Raises what `catalogue.catalogue` raises.
    """
    schema, name = version_table
    release = int((connection.dialect.server_version_info or (0,))[0])
    if connection.dialect.name != "postgresql":
        return Schema(catalogue(connection, [_in_sqlite(name)]), "", release)
    found = connection.execute(_OWN_TABLE, {"schema": schema, "name": name}).one_or_none()
    if found is None:
        owner = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar()
        return Schema(catalogue(connection), str(owner), release)
    return Schema(catalogue(connection, [found[0]]), found[1], release)


def _in_sqlite(name: str) -> str:
    from .catalogue_sqlite import named

    return named(name)


def without_natural(expected: Schema, found: Schema) -> tuple[Catalogue, Catalogue]:
    """Return both catalogues without what differs naturally.

    Of owners, those are left that a revision has named, and of privileges those of other roles than
    the owner that no default privileges have given. The schema `public` is set up before
    the first revision.
    """
    if not expected.owner:
        return expected.catalogue, found.catalogue
    ones, others = {}, {}
    defaults = {
        key: each for key, each in found.catalogue.items() if key[0] == "default privileges"
    }
    for each in expected.catalogue.values():
        one = _for_role(each, expected.owner, found.owner)
        ones[one.key] = one
    for key, either in {**ones, **found.catalogue}.items():
        wanted, other = ones.get(key), found.catalogue.get(key)
        left, right = dict(wanted.facts) if wanted else {}, dict(other.facts) if other else {}
        owners = {"OWNER", found.owner, right.get("owner", expected.owner)}
        given = _given(other, defaults) - _lines(wanted) if other else set[str]()
        if left.get("owner") in (None, expected.owner) or either.is_of_column:
            left.pop("owner", None)
            right.pop("owner", None)
        if key[0] == "extension":
            left.pop("version", None)
            right.pop("version", None)
        for facts in (left, right):
            _keep_privileges(facts, owners, given)
            if key == ("schema", "public"):
                facts.clear()
        if wanted:
            ones[key] = SchemaObject(wanted.kind, wanted.name, wanted.of, left)
        if other:
            others[key] = SchemaObject(other.kind, other.name, other.of, right)
    return ones, others


def _for_role(one: SchemaObject, owner: str, theirs: str) -> SchemaObject:
    """Return default privileges `for role` as the other database has them."""
    start = f"FOR ROLE {owner} "
    if one.kind != "default privileges" or not one.name.startswith(start):
        return one
    name = f"FOR ROLE {theirs} {one.name.removeprefix(start)}"
    return SchemaObject(one.kind, name, one.of, one.facts)


def _keep_privileges(facts: dict[str, str], owners: set[str], given: set[str]) -> None:
    lines = [
        line
        for line in facts.pop("privileges", "").split("\n")
        if line and line not in given and _role(line) not in owners
    ]
    if lines:
        facts["privileges"] = "\n".join(lines)


def _role(line: str) -> str:
    """Return whose privilege a line tells of: `GRANT SELECT TO app WITH GRANT OPTION`."""
    return line.split(" ", 3)[3].removesuffix(" WITH GRANT OPTION")


def _lines(one: SchemaObject | None) -> set[str]:
    return set(one.facts.get("privileges", "").split("\n")) if one else set()


def _given(one: SchemaObject, defaults: Catalogue) -> set[str]:
    """Return the privileges that the database's default privileges gave to an object."""
    of = _DEFAULTS.get(one.kind)
    names = _names(one, of) if of else ()
    found = (defaults.get(("default privileges", name)) for name in names)
    return {line for each in found for line in _lines(each)}


def _names(one: SchemaObject, of: str) -> Iterator[str]:
    role = f"FOR ROLE {one.facts.get('owner', '')}"
    yield f"{role} ON {of}"
    if one.of and one.of[0] == "schema":
        yield f"{role} IN SCHEMA {one.of[1]} ON {of}"


def is_ignored(one: SchemaObject, catalogues: Iterable[Catalogue], patterns: Iterable[str]) -> bool:
    """Tell whether an object, or what it is a part of, is one of `patterns`, as `table *.old_*`."""
    from fnmatch import fnmatchcase

    name = f"{one.kind} {one.name}"
    if any(fnmatchcase(name, pattern) for pattern in patterns):
        return True
    parents = (each.get(one.of) for each in catalogues if one.of)
    parent = next(filter(None, parents), None)
    return parent is not None and is_ignored(parent, catalogues, patterns)

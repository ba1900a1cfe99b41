"""Which rights the role of a connection lacks for what is pending, asked of PostgreSQL."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..base.quoting import escape_literal, quoted
from ..base.results import VersionTable
from ..base.status_report import Trouble
from ..revisions.calls import Name
from ..revisions.needs import Needs

Ask = Callable[[str], list[Any]]

_ROLE = (
    "SELECT current_user::text, rolsuper, rolinherit, current_database()::text,"
    " has_database_privilege(current_database(), 'CREATE')"
    " FROM pg_roles WHERE rolname = current_user"
)
_PLACE = (
    "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on',"
    " EXISTS (SELECT FROM pg_namespace WHERE nspname = {schema})"
)
_SCHEMAS = (
    "SELECT DISTINCT n.nspname::text, has_schema_privilege(n.oid, 'CREATE')"
    " FROM unnest(ARRAY[{names}]::text[]) AS given (name)"
    " JOIN pg_namespace n ON n.nspname = coalesce(given.name, current_schema())"
)
_GIVEN = (
    "(SELECT *, coalesce(quote_ident(schema) || '.', '') || quote_ident(name) AS full_name"
    " FROM json_to_recordset({names}::json)"
    " AS read (schema text, name text, kind text, verb text)) AS given"
)
#: What there is under the names that are given. A function's may be several.
_THINGS = (
    "SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'"
    " WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'table' END"
    " AS kind, c.oid, c.oid::regclass::text AS name, relowner AS owner, relnamespace AS home, verb"
    " FROM given JOIN pg_class c ON kind = 'relation' AND c.oid = to_regclass(full_name)"
    " UNION ALL SELECT kind, t.oid, t.oid::regtype::text, typowner, typnamespace, verb"
    " FROM given JOIN pg_type t ON kind = 'type' AND t.oid = to_regtype(full_name)"
    " UNION ALL SELECT CASE prokind WHEN 'p' THEN 'procedure' ELSE kind END,"
    " p.oid, p.oid::regprocedure::text, proowner, pronamespace, verb"
    " FROM given JOIN pg_proc p ON kind = 'function' AND proname = name"
    " JOIN pg_namespace n ON n.oid = pronamespace"
    " AND CASE WHEN schema IS NULL THEN pg_function_is_visible(p.oid) ELSE nspname = schema END"
)
#: Who owns what, whether that is a superuser's, and what is handed over to own it: of an index, the
#: table. The owner of a schema may drop what is in it
#: (https://www.postgresql.org/docs/current/sql-droptable.html), and may not alter it.
_OWNED = (
    "WITH given AS (SELECT * FROM " + _GIVEN + "), thing AS (" + _THINGS + ")"  # noqa: S608 - all parts are constants of this file
    " SELECT DISTINCT kind, name, pg_get_userbyid(owner)::text, pg_has_role(owner, 'MEMBER'),"
    " EXISTS (SELECT FROM pg_roles r WHERE rolsuper AND pg_has_role(owner, r.oid, 'MEMBER')),"
    " CASE kind WHEN 'index' THEN (SELECT 'TABLE ' || indrelid::regclass::text FROM pg_index"
    " WHERE indexrelid = thing.oid) ELSE upper(kind) || ' ' || name END"
    " FROM thing JOIN pg_namespace n ON n.oid = home WHERE NOT pg_has_role(owner, 'USAGE')"
    " AND NOT (verb = 'DROP' AND pg_has_role(nspowner, 'USAGE')) ORDER BY 1, 2"
)
# A foreign key may lead to columns on which the privilege was granted alone.
_GRANTED = (
    "SELECT c.oid::regclass::text, verb, has_table_privilege(c.oid, verb)"  # noqa: S608 - as above
    " OR verb = 'REFERENCES' AND has_any_column_privilege(c.oid, 'REFERENCES'),"
    " verb NOT IN ('REFERENCES', 'TRIGGER') AND row_security_active(c.oid)"
    " FROM " + _GIVEN + " JOIN pg_class c ON c.oid = to_regclass(full_name) ORDER BY 1, 2"
)
_WRITES = ("SELECT", "INSERT", "UPDATE", "DELETE")


class _Role(NamedTuple):
    """The role that asks, its name as SQL has it."""

    name: str
    is_superuser: bool
    inherits: bool
    database: str
    creates: bool


def lacking_on_server(
    ask: Ask, needs: Needs, table: VersionTable
) -> tuple[tuple[Trouble, ...], bool]:
    """Return what the role lacks for `needs`, and for writing the version table.

    Returns also whether it is a superuser, who has every right whatever is needed. Tables that
    don't exist yet are passed over: a revision makes them, and its role owns them.
    """
    ((name, *rest),) = ask(_ROLE)
    role = _Role(quoted(name), *rest)
    here = tuple(_of_place(ask, table, role))
    if role.is_superuser:
        return here, True
    return (
        *here,
        *_of_database(needs, role),
        *_of_schemas(ask, needs, table, role),
        *_of_things(ask, needs, role),
        *_of_privileges(ask, needs, table, role),
    ), False


def _of_place(ask: Ask, table: VersionTable, role: _Role) -> Iterator[Trouble]:
    """Yield what keeps everybody from writing the version table."""
    ((is_standby, only_reads, has_schema),) = ask(
        _PLACE.format(schema=escape_literal(table.schema or ""))
    )
    if is_standby:
        yield Trouble(
            "a server that can be written: this is a standby",
            "Name the primary server in `sqlalchemy.url`.",
        )
    elif only_reads:
        yield Trouble(
            "transactions that may write: `default_transaction_read_only` is on",
            f"`ALTER ROLE {role.name} SET default_transaction_read_only = off;`",
        )
    if not has_schema:
        schema = table.schema or ""
        yield Trouble(
            f"schema {schema}, in which the version table is to be made",
            f"`CREATE SCHEMA {quoted(schema)};`",
        )


def _of_database(needs: Needs, role: _Role) -> Iterator[Trouble]:
    if needs.of_database and not role.creates:
        yield Trouble(
            f"CREATE on database {role.database}: a schema or an extension is pending",
            f"`GRANT CREATE ON DATABASE {quoted(role.database)} TO {role.name};`",
        )


def _of_schemas(ask: Ask, needs: Needs, table: VersionTable, role: _Role) -> Iterator[Trouble]:
    schemas = set(needs.creates)
    if not ask(f"SELECT {_regclass(table)} IS NOT NULL")[0][0]:
        schemas.add(table.schema)
    names = ", ".join("NULL" if each is None else escape_literal(each) for each in schemas)
    for schema, creates in sorted(ask(_SCHEMAS.format(names=names))):
        if not creates:
            name = quoted(schema)
            yield Trouble(
                f"CREATE on schema {schema}", f"`GRANT CREATE ON SCHEMA {name} TO {role.name};`"
            )


def _of_things(ask: Ask, needs: Needs, role: _Role) -> Iterator[Trouble]:
    given = [("ALTER", *each) for each in needs.owns] + [("DROP", *each) for each in needs.drops]
    for kind, name, owner, is_member, is_super, whole in ask(_OWNED.format(names=_given(given))):
        ways = [f"`ALTER {whole} OWNER TO {role.name};`"]
        # Whoever is a member of a superuser, or of a superuser's member, is one in effect.
        if is_member and not is_super:
            ways = [f"`ALTER ROLE {role.name} SET role = {quoted(owner)};` lets it be that role"]
        elif role.inherits and not is_super:
            ways.insert(0, f"`GRANT {quoted(owner)} TO {role.name};`")
        yield Trouble(f"ownership of {kind} {name}, which belongs to {owner}", " or ".join(ways))


def _of_privileges(ask: Ask, needs: Needs, table: VersionTable, role: _Role) -> Iterator[Trouble]:
    own = {(verb, Name(table.schema, table.name)) for verb in _WRITES}
    given = [(verb, "relation", name) for verb, name in needs.granted | own]
    lacked: dict[str, list[str]] = {}
    secured: list[str] = []
    for name, verb, may, is_secured in ask(_GRANTED.format(names=_given(given))):
        if not may:
            lacked.setdefault(name, []).append(verb)
        if is_secured and name not in secured:
            secured.append(name)
    for name, verbs in lacked.items():
        listed = ", ".join(verbs)
        yield Trouble(f"{listed} on table {name}", f"`GRANT {listed} ON {name} TO {role.name};`")
    for name in secured:
        yield Trouble(
            f"row-level security of table {name} may hide rows from this role, and its rows change",
            f"`ALTER ROLE {role.name} BYPASSRLS;`",
        )


def lacking_on_file(path: str) -> tuple[Trouble, ...]:
    """Return what this user may not write of an SQLite file, and of its folder."""
    real = os.path.realpath(path)
    folder = os.path.dirname(real)
    # SQLite's journal and the lock stand beside the file.
    return tuple(
        Trouble(f"the right to write {each}", "")
        for each in (real, folder)
        if os.path.exists(each) and not os.access(each, os.W_OK)
    )


def _given(things: Iterable[tuple[str, str, Name]]) -> str:
    listed = [
        {"verb": verb, "kind": kind, "schema": schema, "name": name}
        for verb, kind, (schema, name) in things
    ]
    return escape_literal(json.dumps(listed))


def _regclass(table: VersionTable) -> str:
    name = ".".join(quoted(part) for part in (table.schema, table.name) if part)
    return f"to_regclass({escape_literal(name)})"

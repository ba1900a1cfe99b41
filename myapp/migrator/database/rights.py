"""Which rights the role of a connection lacks for what is pending, asked of PostgreSQL."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..base.results import VersionTable
from ..base.status_report import Trouble
from ..revisions.calls import Name
from ..revisions.needs import Needs

Ask = Callable[[str], list[Any]]

_ROLE = (
    "SELECT current_user::text, rolsuper, current_database()::text,"
    " has_database_privilege(current_database(), 'CREATE')"
    " FROM pg_roles WHERE rolname = current_user"
)
_SCHEMAS = (
    "SELECT DISTINCT n.nspname::text, has_schema_privilege(n.oid, 'CREATE')"
    " FROM unnest(ARRAY[{names}]::text[]) AS given (name)"
    " JOIN pg_namespace n ON n.nspname = coalesce(given.name, current_schema())"
)
_GIVEN = (
    " FROM json_to_recordset({names}::json) AS given (schema text, name text, verb text)"
    " JOIN pg_class c ON c.oid = to_regclass(coalesce(quote_ident(schema) || '.', '')"
    " || quote_ident(name)) JOIN pg_namespace n ON n.oid = c.relnamespace"
)
_TABLES = (
    "SELECT c.oid::regclass::text, pg_get_userbyid(c.relowner)::text" + _GIVEN + " WHERE NOT"
    " pg_has_role(c.relowner, 'USAGE') ORDER BY 1"
)
_ROWS = (
    "SELECT c.oid::regclass::text, verb, has_table_privilege(c.oid, verb),"
    " row_security_active(c.oid)" + _GIVEN + " ORDER BY 1, 2"
)
_WRITES = ("SELECT", "INSERT", "UPDATE", "DELETE")


def lacking_on_server(ask: Ask, needs: Needs, table: VersionTable) -> tuple[Trouble, ...] | None:
    """Return the rights that the role lacks for `needs`, and for writing the version table.

    None for a superuser, who lacks none whatever is needed. Tables that don't exist yet are passed
    over: a revision makes them, and its role owns them.
    """
    ((role, is_superuser, database, creates),) = ask(_ROLE)
    if is_superuser:
        return None
    quoted = _identifier(role)
    return (
        *_of_database(needs, quoted, database, creates=creates),
        *_of_schemas(ask, needs, table, quoted),
        *_of_tables(ask, needs, quoted),
        *_of_rows(ask, needs, table, quoted),
    )


def _of_database(needs: Needs, role: str, database: str, *, creates: bool) -> Iterator[Trouble]:
    if needs.of_database and not creates:
        yield Trouble(
            f"CREATE on database {database}: a schema or an extension is pending",
            f"`GRANT CREATE ON DATABASE {_identifier(database)} TO {role};`",
        )


def _of_schemas(ask: Ask, needs: Needs, table: VersionTable, role: str) -> Iterator[Trouble]:
    schemas = set(needs.creates)
    if not ask(f"SELECT {_regclass(table)} IS NOT NULL")[0][0]:
        schemas.add(table.schema)
    names = ", ".join("NULL" if each is None else _literal(each) for each in schemas)
    for schema, creates in sorted(ask(_SCHEMAS.format(names=names))):
        if not creates:
            name = _identifier(schema)
            yield Trouble(
                f"CREATE on schema {schema}", f"`GRANT CREATE ON SCHEMA {name} TO {role};`"
            )


def _of_tables(ask: Ask, needs: Needs, role: str) -> Iterator[Trouble]:
    for name, owner in ask(_TABLES.format(names=_given(("", each) for each in needs.owns))):
        yield Trouble(
            f"ownership of table {name}, which belongs to {owner}",
            f"`GRANT {_identifier(owner)} TO {role};` or `ALTER TABLE {name} OWNER TO {role};`",
        )


def _of_rows(ask: Ask, needs: Needs, table: VersionTable, role: str) -> Iterator[Trouble]:
    own = {(verb, Name(table.schema, table.name)) for verb in _WRITES}
    lacked: dict[str, list[str]] = {}
    secured: list[str] = []
    for name, verb, may, is_secured in ask(_ROWS.format(names=_given(needs.changes | own))):
        if not may:
            lacked.setdefault(name, []).append(verb)
        if is_secured and name not in secured:
            secured.append(name)
    for name, verbs in lacked.items():
        listed = ", ".join(verbs)
        yield Trouble(f"{listed} on table {name}", f"`GRANT {listed} ON {name} TO {role};`")
    for name in secured:
        yield Trouble(
            f"row-level security of table {name} hides rows from this role, and its rows change",
            f"`ALTER ROLE {role} BYPASSRLS;`",
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


def _given(names: Iterable[tuple[str, Name]]) -> str:
    listed = [{"verb": verb, "schema": schema, "name": name} for verb, (schema, name) in names]
    return _literal(json.dumps(listed))


def _regclass(table: VersionTable) -> str:
    name = ".".join(_identifier(part) for part in (table.schema, table.name) if part)
    return f"to_regclass({_literal(name)})"


def _identifier(name: str) -> str:
    """Return a name as SQL has it; with quotes only where it needs them, but for keywords."""
    if name.isascii() and name.isidentifier() and name == name.lower():
        return name
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    # An E string means the same whatever `standard_conforming_strings` is.
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"

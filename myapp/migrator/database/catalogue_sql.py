"""What the parts of the query share that describes a PostgreSQL schema: kind, name, of what, facts.

Names have their schema. Each fact is text, NULL where the object has not got it, or has what a new
one gets by itself. What the server names with its own numbers is not here: the not-null constraints
(a fact of their column), the triggers of foreign keys, and what partitions have from their table.
"""

from typing import NamedTuple


def privileges(acl: str, kind: str, owner: str) -> str:
    """Return SQL for what was granted and revoked, against what a new object of `kind` has.

    `kind` is the SQL of a letter of acldefault().
    """
    grants = "SELECT grantee, privilege_type, is_grantable FROM aclexplode({})"
    given, new = grants.format(acl), grants.format(f"acldefault({kind}, {owner})")
    return f"""CASE WHEN {acl} IS NOT NULL THEN (
        SELECT string_agg(what || CASE grant_.grantee WHEN 0 THEN 'PUBLIC' WHEN {owner} THEN 'OWNER'
            ELSE quote_ident(pg_get_userbyid(grant_.grantee)) END
            || CASE WHEN grant_.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, E'\\n'
            ORDER BY grant_.privilege_type, grant_.grantee <> 0,
                pg_get_userbyid(grant_.grantee) COLLATE "C", what)
        FROM (
            SELECT 'GRANT ' || privilege_type || ' TO ' AS what, g.* FROM ({given} EXCEPT {new}) g
            UNION ALL
            SELECT 'REVOKE ' || privilege_type || ' FROM ', r.* FROM ({new} EXCEPT {given}) r
        ) grant_
    ) END"""  # noqa: S608 - all parts are constants of this file


def enabled(column: str) -> str:
    """Return SQL for when a trigger or rule fires."""
    return f"CASE {column} WHEN 'D' THEN 'no' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END"


def said(of: str, part: str = "0") -> str:
    """Return SQL that joins the comment of a catalogue's row."""
    return (
        f"LEFT JOIN said ON said.classoid = {of}.tableoid AND said.objoid = {of}.oid"
        f" AND said.objsubid = {part}"
    )


WITH = """
WITH not_own AS MATERIALIZED (
    -- What an extension has made, and the functions and casts of a range type.
    SELECT classid, objid FROM pg_depend
    WHERE deptype = 'e'
    OR (deptype = 'i' AND classid IN ('pg_proc'::regclass, 'pg_cast'::regclass))
), said AS MATERIALIZED (
    -- Numbers below are those of the server's own objects.
    SELECT * FROM pg_description WHERE objoid >= 16384
), schema AS MATERIALIZED (
    SELECT n.tableoid, n.oid, n.nspowner, n.nspacl, quote_ident(n.nspname) AS sql
    FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND (n.tableoid, n.oid) NOT IN (TABLE not_own)
), relation AS MATERIALIZED (
    SELECT c.tableoid, c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.relpersistence,
        c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relam,
        c.relispartition, c.relpartbound, c.reloftype, c.relispopulated, c.reltoastrelid,
        s.sql || '.' || quote_ident(c.relname) AS sql, s.sql AS schema_sql,
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index'
            WHEN 'c' THEN 'type' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind
    FROM pg_class c JOIN schema s ON s.oid = c.relnamespace
    WHERE c.oid >= 16384 AND (c.tableoid, c.oid) NOT IN (TABLE not_own)
)
"""


class Part(NamedTuple):
    """One kind of objects: how the query asks for them, and the names of their facts."""

    select: str
    names: tuple[str, ...]


def part(objects: str, facts: dict[str, str], source: str) -> Part:
    """Return the part of the query with the columns `objects`, and SQL for each fact."""
    found = ", ".join(facts.values())
    return Part(f"SELECT {objects}, ARRAY[{found}] {source}", tuple(facts))

"""What each operation does to a table, and where PostgreSQL's documentation says so."""

from typing import Any, NamedTuple

#: The tables on which the operations run. Each has rows.
SCHEMA = """
CREATE TABLE u (id integer PRIMARY KEY, b text);
CREATE TABLE t (
    id integer PRIMARY KEY, a integer, b text, c varchar(20), n numeric(10, 2), d timestamp,
    g integer, i integer GENERATED ALWAYS AS IDENTITY, s integer GENERATED ALWAYS AS (1) STORED,
    e integer NOT NULL, r int4range
);
INSERT INTO u SELECT n, n FROM generate_series(1, 2000) n;
INSERT INTO t (id, a, b, c, g, e) SELECT n, n, n, n, n, n FROM generate_series(1, 20000) n;
CREATE UNIQUE INDEX t_a ON t (a);
ALTER TABLE t ADD CONSTRAINT t_valid CHECK (g IS NOT NULL);
ALTER TABLE t ADD CONSTRAINT t_later CHECK (a > 0) NOT VALID;
CREATE TABLE f (a integer, x integer);
INSERT INTO f SELECT n, n FROM generate_series(1, 2000) n;
ALTER TABLE f ADD CONSTRAINT f_x FOREIGN KEY (x) REFERENCES u (id);
ALTER TABLE f ADD CONSTRAINT f_later FOREIGN KEY (a) REFERENCES u (id) NOT VALID;
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER fires BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION fired();
CREATE RULE nothing AS ON DELETE TO f DO ALSO NOTHING;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TYPE pair AS (a integer, x integer);
CREATE TABLE typed OF pair;
CREATE TABLE untyped (a integer, x integer);
CREATE UNLOGGED TABLE unlogged (a integer);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE parent (a integer);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE orphan (a integer);
CREATE TABLE p (k integer NOT NULL) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (1000);
INSERT INTO p SELECT n FROM generate_series(1, 999) n;
CREATE TABLE q (k integer NOT NULL);
INSERT INTO q SELECT n FROM generate_series(1000, 1999) n;
CREATE TABLE q_checked (k integer NOT NULL CHECK (k >= 2000 AND k < 3000));
CREATE VIEW v AS SELECT id FROM u;
CREATE MATERIALIZED VIEW m AS SELECT id FROM u;
CREATE UNIQUE INDEX m_id ON m (id);
CREATE POLICY a_policy ON f USING (true);
CREATE SCHEMA elsewhere;
CREATE ROLE matrix_owner;
"""
_ALONE = True


class Operation(NamedTuple):
    """One statement, what it does, and where PostgreSQL's documentation says so.

    `expected` names each table that was there, its lock, and whether it is written anew or only
    read whole. `sources` are pages with their anchors: the first is on the lock, and all of them
    together say the rest. They are of PostgreSQL 18, but for release notes. On the parts in
    `silent` the documentation says nothing: they were observed. It contradicts what stands in
    `instead`. REINDEX CONCURRENTLY puts a new index in the place of the old one. `is_alone`: it
    runs outside a transaction only; `undo` then brings back what was. `since` is the first version
    that knows it.
    """

    sql: str
    expected: str
    sources: tuple[str, ...]
    silent: str = ""
    instead: str = ""
    is_alone: bool = False
    undo: str = ""
    since: int = 0


_AX = "t: ACCESS EXCLUSIVE"
_SUX = "t: SHARE UPDATE EXCLUSIVE"
_SRX = "t: SHARE ROW EXCLUSIVE"
_REWRITE = f"{_AX}, rewritten"
_SCAN = f"{_AX}, scanned"
#: ALTER TABLE takes ACCESS EXCLUSIVE "unless explicitly noted".
_ALTER = "sql-altertable"
_NOTES = "sql-altertable#SQL-ALTERTABLE-NOTES"
_MODES = "explicit-locking#LOCKING-TABLES"
_INDEX = "sql-createindex#SQL-CREATEINDEX-CONCURRENTLY"
_REINDEX = "sql-reindex#SQL-REINDEX-CONCURRENTLY"


def _form(name: str) -> str:
    """Return the place of one form of ALTER TABLE, whose lock is noted there."""
    return f"sql-altertable#SQL-ALTERTABLE-DESC-{name}"


def _altered(sql: str, expected: str, *forms: str, **rest: Any) -> Operation:
    """Return a form of ALTER TABLE that takes the lock of most of them."""
    return Operation(sql, expected, (_ALTER, *forms), **rest)


OPERATIONS = [
    # Columns
    _altered("ALTER TABLE t ADD COLUMN z integer", _AX, _NOTES),
    _altered("ALTER TABLE t ADD COLUMN z integer DEFAULT 1", _AX, _NOTES),
    _altered("ALTER TABLE t ADD COLUMN z integer NOT NULL DEFAULT 1", _AX, _NOTES),
    _altered("ALTER TABLE t ADD COLUMN z timestamptz DEFAULT now()", _AX, _NOTES),
    _altered("ALTER TABLE t ADD COLUMN z timestamptz DEFAULT clock_timestamp()", _REWRITE, _NOTES),
    _altered("ALTER TABLE t ADD COLUMN z uuid DEFAULT gen_random_uuid()", _REWRITE, _NOTES),
    _altered(
        "ALTER TABLE t ADD COLUMN z serial",
        _REWRITE,
        _NOTES,
        "datatype-numeric#DATATYPE-SERIAL",
    ),
    _altered("ALTER TABLE t ADD COLUMN z positive", _REWRITE, _NOTES),
    _altered("ALTER TABLE t ADD COLUMN z integer CHECK (z > 0)", _SCAN, _NOTES),
    _altered(
        "ALTER TABLE t ADD COLUMN z integer GENERATED ALWAYS AS (a * 2) STORED", _REWRITE, _NOTES
    ),
    _altered(
        "ALTER TABLE t ADD COLUMN z integer GENERATED ALWAYS AS (a * 2) VIRTUAL",
        _AX,
        _NOTES,
        since=18,
    ),
    _altered(
        "ALTER TABLE f ADD COLUMN z integer GENERATED ALWAYS AS IDENTITY",
        "f: ACCESS EXCLUSIVE, rewritten",
        _NOTES,
    ),
    _altered("ALTER TABLE t DROP COLUMN b", _AX, _NOTES),
    _altered("ALTER TABLE t ALTER b SET DEFAULT 'x'", _AX, _form("SET-DROP-DEFAULT")),
    _altered("ALTER TABLE t ALTER b DROP DEFAULT", _AX, _form("SET-DROP-DEFAULT")),
    _altered("ALTER TABLE t ALTER a SET NOT NULL", _SCAN, _form("SET-DROP-NOT-NULL")),
    _altered("ALTER TABLE t ALTER g SET NOT NULL", _AX, _form("SET-DROP-NOT-NULL")),
    _altered("ALTER TABLE t ALTER e DROP NOT NULL", _AX, _form("SET-DROP-NOT-NULL")),
    _altered("ALTER TABLE t ALTER a TYPE bigint", _REWRITE, _NOTES),
    _altered("ALTER TABLE t ALTER b TYPE varchar(20)", _REWRITE, _NOTES),
    _altered("ALTER TABLE t ALTER c TYPE text", _AX, _NOTES),
    _altered("ALTER TABLE t ALTER c TYPE varchar(40)", _AX, "release/9.2.0"),
    _altered("ALTER TABLE t ALTER c TYPE varchar(10)", _REWRITE, _NOTES),
    _altered("ALTER TABLE t ALTER n TYPE numeric(12, 2)", _AX, "release/9.2.0"),
    _altered("ALTER TABLE t ALTER n TYPE numeric(12, 3)", _REWRITE, _NOTES),
    _altered("ALTER TABLE t ALTER b TYPE integer USING b::integer", _REWRITE, _NOTES),
    _altered(
        "ALTER TABLE t ALTER e ADD GENERATED ALWAYS AS IDENTITY", _AX, _form("GENERATED-IDENTITY")
    ),
    _altered("ALTER TABLE t ALTER i SET GENERATED BY DEFAULT", _AX, _form("GENERATED-IDENTITY")),
    _altered("ALTER TABLE t ALTER i SET INCREMENT BY 2", _AX, _form("SET-SEQUENCE-OPTION")),
    _altered("ALTER TABLE t ALTER i DROP IDENTITY", _AX, _form("GENERATED-IDENTITY")),
    _altered("ALTER TABLE t ALTER s DROP EXPRESSION", _AX, _form("DROP-EXPRESSION")),
    Operation("ALTER TABLE t ALTER a SET STATISTICS 500", _SUX, (_form("SET-STATISTICS"),)),
    Operation("ALTER TABLE t ALTER a SET (n_distinct = 5)", _SUX, (_form("SET-ATTRIBUTE-OPTION"),)),
    Operation("ALTER TABLE t ALTER a RESET (n_distinct)", _SUX, (_form("SET-ATTRIBUTE-OPTION"),)),
    _altered("ALTER TABLE t ALTER b SET STORAGE EXTERNAL", _AX, _form("SET-STORAGE")),
    _altered("ALTER TABLE t ALTER b SET COMPRESSION pglz", _AX, _form("SET-COMPRESSION")),
    # Constraints
    _altered(
        "ALTER TABLE t ADD CONSTRAINT z CHECK (a > 0)",
        _SCAN,
        _form("ADD-TABLE-CONSTRAINT"),
    ),
    _altered(
        "ALTER TABLE t ADD CONSTRAINT z CHECK (a > 0) NOT VALID",
        _AX,
        _form("ADD-TABLE-CONSTRAINT"),
    ),
    Operation(
        "ALTER TABLE t VALIDATE CONSTRAINT t_later",
        f"{_SUX}, scanned",
        (_form("VALIDATE-CONSTRAINT"),),
    ),
    _altered(
        "ALTER TABLE t ADD CONSTRAINT z NOT NULL a NOT VALID",
        _AX,
        _form("ADD-TABLE-CONSTRAINT"),
        since=18,
    ),
    Operation(
        "ALTER TABLE t ADD CONSTRAINT z FOREIGN KEY (a) REFERENCES u (id) NOT VALID",
        f"{_SRX}; u: SHARE ROW EXCLUSIVE",
        (_form("ADD-TABLE-CONSTRAINT"),),
    ),
    Operation(
        "ALTER TABLE f ADD CONSTRAINT z FOREIGN KEY (a) REFERENCES u (id)",
        "f: SHARE ROW EXCLUSIVE, scanned; u: SHARE ROW EXCLUSIVE, scanned",
        (_form("ADD-TABLE-CONSTRAINT"),),
        silent="u: scanned",
    ),
    Operation(
        "ALTER TABLE f VALIDATE CONSTRAINT f_later",
        "f: SHARE UPDATE EXCLUSIVE, scanned; u: ROW SHARE, scanned",
        (_NOTES, _form("VALIDATE-CONSTRAINT")),
        silent="u: scanned",
    ),
    _altered("ALTER TABLE t ADD CONSTRAINT z UNIQUE (b)", _SCAN, _form("ADD-TABLE-CONSTRAINT")),
    _altered(
        "ALTER TABLE q ADD PRIMARY KEY (k)",
        "q: ACCESS EXCLUSIVE, scanned",
        _form("ADD-TABLE-CONSTRAINT"),
    ),
    _altered(
        "ALTER TABLE t ADD CONSTRAINT z UNIQUE USING INDEX t_a",
        _AX,
        _form("ADD-TABLE-CONSTRAINT-USING-INDEX"),
    ),
    _altered(
        "ALTER TABLE t ADD CONSTRAINT z EXCLUDE USING gist (r WITH &&)",
        _SCAN,
        _form("ADD-TABLE-CONSTRAINT"),
    ),
    _altered(
        "ALTER TABLE f ALTER CONSTRAINT f_x DEFERRABLE",
        "f: ACCESS EXCLUSIVE",
        _form("ALTER-CONSTRAINT"),
    ),
    _altered("ALTER TABLE t DROP CONSTRAINT t_valid", _AX, _form("DROP-CONSTRAINT")),
    _altered(
        "ALTER TABLE f DROP CONSTRAINT f_x",
        "f: ACCESS EXCLUSIVE; u: ACCESS EXCLUSIVE",
        _form("DROP-CONSTRAINT"),
        silent="u: ACCESS EXCLUSIVE",
    ),
    _altered("ALTER TABLE t RENAME CONSTRAINT t_valid TO z", _AX, _form("RENAME")),
    # Tables
    _altered("ALTER TABLE t RENAME TO z", _AX, _form("RENAME")),
    _altered("ALTER TABLE t RENAME COLUMN b TO z", _AX, _form("RENAME")),
    _altered("ALTER TABLE t SET SCHEMA elsewhere", _AX, _form("SET-SCHEMA")),
    _altered("ALTER TABLE t OWNER TO matrix_owner", _AX, _form("OWNER-TO")),
    Operation("ALTER TABLE t SET (fillfactor = 70)", _SUX, (_form("SET-STORAGE-PARAMETER"),)),
    Operation(
        "ALTER TABLE t RESET (fillfactor)",
        _SUX,
        (_ALTER, _form("RESET-STORAGE-PARAMETER")),
        instead=_AX,
    ),
    Operation(
        "ALTER TABLE t SET (autovacuum_enabled = false)", _SUX, (_form("SET-STORAGE-PARAMETER"),)
    ),
    _altered(
        "ALTER TABLE orphan SET UNLOGGED",
        "orphan: ACCESS EXCLUSIVE, rewritten",
        _form("SET-LOGGED-UNLOGGED"),
        silent="rewritten",
    ),
    _altered(
        "ALTER TABLE unlogged SET LOGGED",
        "unlogged: ACCESS EXCLUSIVE, rewritten",
        _form("SET-LOGGED-UNLOGGED"),
        silent="rewritten",
    ),
    Operation("ALTER TABLE t CLUSTER ON t_a", _SUX, (_form("CLUSTER-ON"),)),
    Operation("ALTER TABLE t SET WITHOUT CLUSTER", _SUX, (_form("SET-WITHOUT-CLUSTER"),)),
    _altered(
        "ALTER TABLE t REPLICA IDENTITY FULL", _AX, "sql-altertable#SQL-ALTERTABLE-REPLICA-IDENTITY"
    ),
    _altered(
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY", _AX, _form("DISABLE-ENABLE-ROW-LEVEL-SECURITY")
    ),
    _altered("ALTER TABLE t FORCE ROW LEVEL SECURITY", _AX, _form("FORCE-ROW-LEVEL-SECURITY")),
    Operation("ALTER TABLE t DISABLE TRIGGER fires", _SRX, (_form("DISABLE-ENABLE-TRIGGER"),)),
    Operation("ALTER TABLE t ENABLE TRIGGER fires", _SRX, (_form("DISABLE-ENABLE-TRIGGER"),)),
    Operation(
        "ALTER TABLE t ENABLE ALWAYS TRIGGER fires", _SRX, (_form("DISABLE-ENABLE-TRIGGER"),)
    ),
    _altered(
        "ALTER TABLE f DISABLE RULE nothing", "f: ACCESS EXCLUSIVE", _form("DISABLE-ENABLE-RULE")
    ),
    _altered(
        "ALTER TABLE orphan INHERIT parent",
        "orphan: ACCESS EXCLUSIVE; parent: SHARE UPDATE EXCLUSIVE",
        _form("INHERIT"),
        silent="parent: SHARE UPDATE EXCLUSIVE",
    ),
    _altered(
        "ALTER TABLE child NO INHERIT parent",
        "child: ACCESS EXCLUSIVE; parent: ACCESS SHARE",
        _form("NO-INHERIT"),
        silent="parent: ACCESS SHARE",
    ),
    _altered("ALTER TABLE untyped OF pair", "untyped: ACCESS EXCLUSIVE", _form("OF")),
    _altered("ALTER TABLE typed NOT OF", "typed: ACCESS EXCLUSIVE", _form("NOT-OF")),
    Operation("DROP TABLE t", _AX, (_MODES,)),
    Operation("TRUNCATE t", f"{_AX}, rewritten", (_MODES, "sql-truncate"), silent="rewritten"),
    Operation("COMMENT ON TABLE t IS 'x'", _SUX, ("sql-comment",)),
    Operation("LOCK TABLE t IN SHARE MODE", "t: SHARE", ("sql-lock",)),
    Operation("CREATE TABLE z AS SELECT * FROM t", "t: ACCESS SHARE, scanned", (_MODES,)),
    Operation(
        "CREATE TABLE z (x integer REFERENCES u)",
        "u: SHARE ROW EXCLUSIVE",
        ("sql-createtable",),
    ),
    # Partitions
    Operation(
        "CREATE TABLE z PARTITION OF p FOR VALUES FROM (5000) TO (6000)",
        "p: ACCESS EXCLUSIVE",
        ("sql-createtable#SQL-CREATETABLE-PARTITION",),
    ),
    Operation(
        "ALTER TABLE p ATTACH PARTITION q FOR VALUES FROM (1000) TO (2000)",
        "p: SHARE UPDATE EXCLUSIVE; q: ACCESS EXCLUSIVE, scanned",
        ("sql-altertable#SQL-ALTERTABLE-ATTACH-PARTITION",),
    ),
    Operation(
        "ALTER TABLE p ATTACH PARTITION q_checked FOR VALUES FROM (2000) TO (3000)",
        "p: SHARE UPDATE EXCLUSIVE; q_checked: ACCESS EXCLUSIVE",
        ("sql-altertable#SQL-ALTERTABLE-ATTACH-PARTITION",),
    ),
    Operation(
        "ALTER TABLE p DETACH PARTITION p1",
        "p: ACCESS EXCLUSIVE; p1: ACCESS EXCLUSIVE",
        ("ddl-partitioning#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE",),
        silent="p1: ACCESS EXCLUSIVE",
    ),
    Operation(
        "DROP TABLE p1",
        "p: ACCESS EXCLUSIVE; p1: ACCESS EXCLUSIVE",
        ("ddl-partitioning#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE", _MODES),
    ),
    # Indexes
    Operation("CREATE INDEX z ON t (b)", "t: SHARE, scanned", (_MODES, _INDEX)),
    Operation("CREATE UNIQUE INDEX z ON t (b)", "t: SHARE, scanned", (_MODES, _INDEX)),
    Operation("CREATE INDEX z ON t (lower(b))", "t: SHARE, scanned", (_MODES, _INDEX)),
    Operation("CREATE INDEX z ON p (k)", "p: SHARE; p1: SHARE, scanned", (_MODES, _INDEX)),
    Operation(
        "CREATE INDEX CONCURRENTLY z ON t (b)",
        f"{_SUX}, scanned",
        (_MODES, _INDEX),
        is_alone=_ALONE,
        undo="DROP INDEX z",
    ),
    Operation("DROP INDEX t_a", _AX, ("sql-dropindex",)),
    Operation(
        "DROP INDEX CONCURRENTLY t_a",
        _SUX,
        ("sql-dropindex",),
        silent=_SUX,
        is_alone=_ALONE,
        undo="CREATE UNIQUE INDEX t_a ON t (a)",
    ),
    Operation(
        "REINDEX INDEX t_a",
        "t: SHARE, scanned; t_a: ACCESS EXCLUSIVE, rewritten",
        ("sql-reindex", _REINDEX),
        silent="t: SHARE",
    ),
    Operation(
        "REINDEX TABLE t",
        "t: SHARE, scanned; t_a: ACCESS EXCLUSIVE, rewritten; t_pkey: ACCESS EXCLUSIVE, rewritten",
        ("sql-reindex", _REINDEX),
        silent="t: SHARE",
    ),
    Operation("REINDEX INDEX CONCURRENTLY t_a", f"{_SUX}, scanned", (_REINDEX,), is_alone=_ALONE),
    Operation("ALTER INDEX t_a RENAME TO z", "t_a: SHARE UPDATE EXCLUSIVE", ("sql-alterindex",)),
    Operation(
        "ALTER INDEX t_a SET (fillfactor = 70)",
        "t_a: SHARE UPDATE EXCLUSIVE",
        ("sql-alterindex",),
        instead="t_a: ACCESS EXCLUSIVE",
    ),
    Operation("CREATE STATISTICS z ON a, b FROM t", _SUX, (_MODES,)),
    # Triggers, rules, policies, views, types
    Operation(
        "CREATE TRIGGER z BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fired()",
        _SRX,
        (_MODES,),
    ),
    Operation("DROP TRIGGER fires ON t", _AX, ("sql-droptrigger",), silent=_AX),
    Operation(
        "CREATE RULE z AS ON DELETE TO f DO ALSO NOTHING",
        "f: ACCESS EXCLUSIVE",
        ("sql-createrule",),
        silent="f: ACCESS EXCLUSIVE",
    ),
    Operation("CREATE POLICY z ON t USING (true)", _AX, ("sql-createpolicy",), silent=_AX),
    Operation(
        "DROP POLICY a_policy ON f",
        "f: ACCESS EXCLUSIVE",
        ("sql-droppolicy",),
        silent="f: ACCESS EXCLUSIVE",
    ),
    Operation(
        "CREATE VIEW z AS SELECT * FROM t",
        "t: ACCESS SHARE",
        ("sql-createview",),
        silent="t: ACCESS SHARE",
    ),
    Operation(
        "CREATE OR REPLACE VIEW v AS SELECT id FROM u",
        "u: ACCESS SHARE; v: ACCESS EXCLUSIVE",
        ("sql-createview",),
        silent="u: ACCESS SHARE; v: ACCESS EXCLUSIVE",
    ),
    Operation(
        "DROP VIEW v", "v: ACCESS EXCLUSIVE", ("sql-dropview",), silent="v: ACCESS EXCLUSIVE"
    ),
    Operation(
        "CREATE MATERIALIZED VIEW z AS SELECT * FROM t",
        "t: ACCESS SHARE, scanned",
        (_MODES, "sql-creatematerializedview"),
    ),
    Operation(
        "REFRESH MATERIALIZED VIEW m",
        "m: ACCESS EXCLUSIVE, rewritten; u: ACCESS SHARE, scanned",
        (_MODES, "sql-refreshmaterializedview"),
    ),
    Operation(
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "m: EXCLUSIVE, scanned; u: ACCESS SHARE, scanned",
        (_MODES, "sql-refreshmaterializedview"),
        silent="m: scanned",
    ),
    Operation(
        "DROP MATERIALIZED VIEW m",
        "m: ACCESS EXCLUSIVE",
        ("sql-dropmaterializedview",),
        silent="m: ACCESS EXCLUSIVE",
    ),
    Operation("ALTER TYPE mood ADD VALUE 'angry'", "", ("sql-altertype",), silent="nothing"),
    Operation(
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "", ("sql-altertype",), silent="nothing"
    ),
    # Rows
    Operation("SELECT * FROM t", "t: ACCESS SHARE, scanned", (_MODES,)),
    Operation("SELECT * FROM t FOR UPDATE", "t: ROW SHARE, scanned", (_MODES,)),
    Operation("INSERT INTO t (id, g, e) VALUES (0, 1, 1)", "t: ROW EXCLUSIVE", (_MODES,)),
    Operation("UPDATE t SET b = 'x'", "t: ROW EXCLUSIVE, scanned", (_MODES,)),
    Operation("DELETE FROM t", "t: ROW EXCLUSIVE, scanned", (_MODES,)),
    Operation(
        "MERGE INTO u USING f ON u.id = f.x WHEN MATCHED THEN UPDATE SET b = 'x'",
        "f: ACCESS SHARE, scanned; u: ROW EXCLUSIVE, scanned",
        (_MODES,),
        silent="u: scanned",
    ),
    # Upkeep
    Operation("ANALYZE t", _SUX, (_MODES,)),
    Operation("CLUSTER t USING t_a", f"{_AX}, rewritten", ("sql-cluster",)),
    Operation("VACUUM (TRUNCATE false) t", _SUX, (_MODES, "sql-vacuum"), is_alone=_ALONE),
    Operation("VACUUM FULL t", f"{_AX}, rewritten", ("sql-vacuum",), is_alone=_ALONE),
]

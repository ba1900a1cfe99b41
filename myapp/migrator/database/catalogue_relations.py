"""What is asked of tables, sequences and views, and of what belongs to them."""

from .catalogue_sql import enabled, part, privileges, said

_TABLE = part(
    """
    r.kind, r.sql, CASE WHEN r.relispartition THEN p.kind ELSE 'schema' END,
        CASE WHEN r.relispartition THEN p.sql ELSE r.schema_sql END
    """,
    {
        "owner": "quote_ident(pg_get_userbyid(r.relowner))",
        "unlogged": "CASE r.relpersistence WHEN 'u' THEN 'yes' END",
        "partition by": "CASE r.relkind WHEN 'p' THEN pg_get_partkeydef(r.oid) END",
        "partition of": "CASE WHEN r.relispartition THEN p.sql END",
        "bound": "pg_get_expr(r.relpartbound, r.oid)",
        "inherits": "CASE WHEN NOT r.relispartition THEN p.sql END",
        "of type": "CASE WHEN r.reloftype <> 0 THEN format_type(r.reloftype, NULL) END",
        "server": """
        (SELECT quote_ident(v.srvname) || coalesce(' OPTIONS ('
            || (SELECT string_agg(quote_ident(option_name) || ' ' || quote_literal(option_value),
                ', ' ORDER BY option_name) FROM pg_options_to_table(f.ftoptions)
                WHERE option_name !~* 'pass|secret|token') || ')', '')
        FROM pg_foreign_table f JOIN pg_foreign_server v ON v.oid = f.ftserver
        WHERE f.ftrelid = r.oid)
    """,
        "access method": """
        (SELECT quote_ident(amname) FROM pg_am m
        WHERE m.oid = r.relam AND amname <> 'heap')
    """,
        "options": """
        nullif(array_to_string(r.reloptions || ARRAY(SELECT 'toast.' || o
        FROM pg_class w, unnest(w.reloptions) o WHERE w.oid = r.reltoastrelid), E',\\n'), '')
    """,
        "row level security": "CASE WHEN r.relrowsecurity THEN 'enabled' END",
        "forced row level security": "CASE WHEN r.relforcerowsecurity THEN 'yes' END",
        "replica identity": """
        CASE r.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
        WHEN 'i' THEN 'USING INDEX ' || (SELECT quote_ident(x.relname) FROM pg_index i
            JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = r.oid AND i.indisreplident)
        END
    """,
        "comment": "said.description",
        "privileges": privileges("r.relacl", "'r'", "r.relowner"),
    },
    f"""
    FROM relation r {said("r")}
    LEFT JOIN LATERAL (
        SELECT string_agg(q.sql, ', ' ORDER BY h.inhseqno) AS sql, max(q.kind) AS kind
        FROM pg_inherits h JOIN relation q ON q.oid = h.inhparent WHERE h.inhrelid = r.oid
    ) p ON true
    WHERE r.relkind IN ('r', 'p', 'f')
    """,  # noqa: S608 - all parts are constants
)

#: Those of a table in their order. A view has the types of its own in a fact.
_COLUMN = part(
    "'column', r.sql || '.' || quote_ident(a.attname), r.kind, r.sql",
    {
        "type": "CASE WHEN r.relkind IN ('r', 'p', 'f')"
        " THEN format_type(a.atttypid, a.atttypmod) END",
        "collation": """
        CASE WHEN a.attcollation <> t.typcollation AND r.relkind IN ('r', 'p', 'f') THEN (
        SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname)
        FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
        WHERE l.oid = a.attcollation) END
    """,
        "not null": "CASE WHEN a.attnotnull THEN 'yes' END",
        "default": "CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END",
        "generated": """
        CASE WHEN a.attgenerated <> '' THEN '(' || pg_get_expr(d.adbin, d.adrelid) || ') '
        || CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END END
    """,
        "identity": "CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END",
        "storage": """
        CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage
        WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END
    """,
        "compression": "CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END",
        "statistics": "nullif(a.attstattarget, -1)::text",
        "options": "array_to_string(a.attoptions, E',\\n')",
        "comment": "said.description",
        "privileges": privileges("a.attacl", "'c'", "r.relowner"),
    },
    f"""
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    {said("r", "a.attnum")}
    WHERE r.relkind IN ('r', 'p', 'f', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum
    """,
)

_SEQUENCE = part(
    """
    'sequence', r.sql, CASE WHEN o.deptype IS NULL THEN 'schema' ELSE 'column' END,
        coalesce(o.column_sql, r.schema_sql)
    """,
    {
        "owner": "quote_ident(pg_get_userbyid(r.relowner))",
        "type": "format_type(s.seqtypid, NULL)",
        "increment": "s.seqincrement::text",
        "minimum": "s.seqmin::text",
        "maximum": "s.seqmax::text",
        "start": "s.seqstart::text",
        "cache": "s.seqcache::text",
        "cycle": "CASE WHEN s.seqcycle THEN 'yes' END",
        "owned by": "CASE o.deptype WHEN 'a' THEN o.column_sql END",
        "comment": "said.description",
        "privileges": privileges("r.relacl", "'s'", "r.relowner"),
    },
    f"""
    FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid {said("r")}
    LEFT JOIN (
        SELECT d.objid, d.deptype, t.sql || '.' || quote_ident((
            SELECT attname FROM pg_attribute
            WHERE attrelid = d.refobjid AND attnum = d.refobjsubid
        )) AS column_sql
        FROM pg_depend d JOIN relation t ON t.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    ) o ON o.objid = r.oid
    """,  # noqa: S608 - all parts are constants
)

_VIEW = part(
    "r.kind, r.sql, 'schema', r.schema_sql",
    {
        "owner": "quote_ident(pg_get_userbyid(r.relowner))",
        "columns": """
        (SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod),
            E',\\n' ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0)
    """,
        "definition": "pg_get_viewdef(r.oid)",
        "options": "array_to_string(r.reloptions, E',\\n')",
        "populated": "CASE WHEN NOT r.relispopulated THEN 'no' END",
        "comment": "said.description",
        "privileges": privileges("r.relacl", "'r'", "r.relowner"),
    },
    f"""
    FROM relation r {said("r")}
    WHERE r.relkind IN ('v', 'm')
    """,
)

_CONSTRAINT = part(
    "'constraint', quote_ident(c.conname) || ' ON ' || r.sql, r.kind, r.sql",
    {
        "definition": "pg_get_constraintdef(c.oid)",
        "disabled on": """
        CASE c.contype WHEN 'f' THEN (
        SELECT string_agg(DISTINCT g.tgrelid::regclass::text, ', ') FROM pg_trigger g
        WHERE g.tgconstraint = c.oid AND g.tgenabled = 'D') END
    """,
        "comment": "said.description",
    },
    f"""
    FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid {said("c")}
    WHERE c.contype IN ('c', 'f', 'p', 'u', 'x') AND c.conparentid = 0 AND c.conislocal
    """,
)

_INDEX = part(
    "'index', x.sql, r.kind, r.sql",
    {
        "definition": "pg_get_indexdef(i.indexrelid)",
        "valid": "CASE WHEN NOT i.indisvalid AND x.relkind = 'i' THEN 'no' END",
        "clustered": "CASE WHEN i.indisclustered THEN 'yes' END",
        "comment": "said.description",
    },
    f"""
    FROM pg_index i JOIN relation x ON x.oid = i.indexrelid JOIN relation r ON r.oid = i.indrelid
    {said("x")}
    WHERE NOT x.relispartition AND NOT EXISTS (
        SELECT FROM pg_constraint c WHERE c.conrelid = i.indrelid AND c.conindid = i.indexrelid
        AND c.contype IN ('p', 'u', 'x'))
    """,
)

_STATISTICS = part(
    "'statistics', s.sql || '.' || quote_ident(x.stxname), r.kind, r.sql",
    {
        "owner": "quote_ident(pg_get_userbyid(x.stxowner))",
        "definition": "pg_get_statisticsobjdef(x.oid)",
        "comment": "said.description",
    },
    f"""
    FROM pg_statistic_ext x JOIN schema s ON s.oid = x.stxnamespace
    JOIN relation r ON r.oid = x.stxrelid {said("x")}
    """,
)

_RULE = part(
    "'rule', quote_ident(u.rulename) || ' ON ' || r.sql, r.kind, r.sql",
    {
        "definition": "pg_get_ruledef(u.oid)",
        "enabled": enabled("u.ev_enabled"),
        "comment": "said.description",
    },
    f"""
    FROM pg_rewrite u JOIN relation r ON r.oid = u.ev_class {said("u")}
    WHERE u.rulename <> '_RETURN'
    """,
)

_POLICY = part(
    "'policy', quote_ident(y.polname) || ' ON ' || r.sql, r.kind, r.sql",
    {
        "as": "CASE WHEN NOT y.polpermissive THEN 'RESTRICTIVE' END",
        "for": """
        CASE y.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
        WHEN 'd' THEN 'DELETE' END
    """,
        "to": """
        CASE WHEN y.polroles <> '{0}' THEN (
        SELECT string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END,
            ', ' ORDER BY pg_get_userbyid(o) COLLATE "C") FROM unnest(y.polroles) o) END
    """,
        "using": "pg_get_expr(y.polqual, y.polrelid)",
        "with check": "pg_get_expr(y.polwithcheck, y.polrelid)",
        "comment": "said.description",
    },
    f"""
    FROM pg_policy y JOIN relation r ON r.oid = y.polrelid {said("y")}
    """,
)

_TRIGGER = part(
    "'trigger', quote_ident(g.tgname) || ' ON ' || r.sql, r.kind, r.sql",
    {
        "definition": "pg_get_triggerdef(g.oid)",
        "enabled": enabled("g.tgenabled"),
        "comment": "said.description",
    },
    f"""
    FROM pg_trigger g JOIN relation r ON r.oid = g.tgrelid {said("g")}
    WHERE NOT g.tgisinternal AND g.tgparentid = 0
    """,
)

#: Each after the one that its objects are parts of.
RELATIONS = (
    _TABLE,
    _COLUMN,
    _SEQUENCE,
    _VIEW,
    _CONSTRAINT,
    _INDEX,
    _STATISTICS,
    _RULE,
    _POLICY,
    _TRIGGER,
)

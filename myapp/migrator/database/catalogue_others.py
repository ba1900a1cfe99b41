"""What is asked of schemas, types, functions, and what belongs to no schema."""

from .catalogue_sql import enabled, part, privileges, said

_SCHEMA = part(
    "'schema', n.sql, NULL, NULL",
    {
        "owner": "quote_ident(pg_get_userbyid(n.nspowner))",
        "comment": "CASE WHEN n.sql <> 'public' THEN said.description END",
        "privileges": privileges("n.nspacl", "'n'", "n.nspowner"),
    },
    f"""
    FROM schema n {said("n")}
    """,
)

_EXTENSION = part(
    "'extension', quote_ident(e.extname), NULL, NULL",
    {
        "schema": "quote_ident(n.nspname)",
        "version": "e.extversion",
    },
    """
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname <> 'plpgsql'
    """,
)

_TYPE = part(
    """
    CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END,
        s.sql || '.' || quote_ident(t.typname), 'schema', s.sql
    """,
    {
        "owner": "quote_ident(pg_get_userbyid(t.typowner))",
        "enum": """
        CASE t.typtype WHEN 'e' THEN coalesce((
        SELECT string_agg(quote_literal(e.enumlabel), E',\\n' ORDER BY e.enumsortorder)
        FROM pg_enum e WHERE e.enumtypid = t.oid), '') END
    """,
        "attributes": """
        CASE t.typtype WHEN 'c' THEN coalesce((
        SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attcollation <> b.typcollation
                THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END,
            E',\\n' ORDER BY a.attnum)
        FROM pg_attribute a JOIN pg_type b ON b.oid = a.atttypid
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') END
    """,
        "range of": """
        CASE t.typtype WHEN 'r' THEN (
        SELECT format_type(g.rngsubtype, NULL)
            || CASE WHEN g.rngcollation <> b.typcollation
                THEN ', COLLATION = ' || g.rngcollation::regcollation ELSE '' END
            || coalesce(', CANONICAL = ' || nullif(g.rngcanonical, 0)::regproc, '')
            || coalesce(', SUBTYPE_DIFF = ' || nullif(g.rngsubdiff, 0)::regproc, '')
        FROM pg_range g JOIN pg_type b ON b.oid = g.rngsubtype WHERE g.rngtypid = t.oid) END
    """,
        "type": "CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END",
        "collation": """
        CASE WHEN t.typtype = 'd' THEN (
        SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname)
        FROM pg_type b JOIN pg_collation l ON l.oid = t.typcollation
        JOIN pg_namespace n ON n.oid = l.collnamespace
        WHERE b.oid = t.typbasetype AND b.typcollation <> t.typcollation) END
    """,
        "default": "CASE t.typtype WHEN 'd' THEN pg_get_expr(t.typdefaultbin, 0) END",
        "not null": "CASE WHEN t.typnotnull THEN 'yes' END",
        "comment": "said.description",
        "privileges": privileges("t.typacl", "'T'", "t.typowner"),
    },
    f"""
    FROM pg_type t JOIN schema s ON s.oid = t.typnamespace {said("t")}
    WHERE t.oid >= 16384 AND t.typtype IN ('e', 'd', 'c', 'r')
    AND (t.tableoid, t.oid) NOT IN (TABLE not_own)
    AND (t.typtype <> 'c' OR EXISTS (
        SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
    """,
)

_DOMAIN_CONSTRAINT = part(
    """
    'domain constraint',
        quote_ident(c.conname) || ' ON DOMAIN ' || s.sql || '.' || quote_ident(t.typname),
        'domain', s.sql || '.' || quote_ident(t.typname)
    """,
    {
        "definition": "pg_get_constraintdef(c.oid)",
        "comment": "said.description",
    },
    f"""
    FROM pg_constraint c JOIN pg_type t ON t.oid = c.contypid
    JOIN schema s ON s.oid = t.typnamespace
    {said("c")}
    WHERE c.contype = 'c' AND (t.tableoid, t.oid) NOT IN (TABLE not_own)
    """,
)

_FUNCTION = part(
    """
    CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
        CASE p.prokind WHEN 'a' THEN s.sql || '.' || quote_ident(p.proname)
            || '(' || pg_get_function_identity_arguments(p.oid) || ')'
        ELSE p.oid::regprocedure::text END,
        'schema', s.sql
    """,
    {
        "owner": "quote_ident(pg_get_userbyid(p.proowner))",
        "definition": """
        CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE (
        SELECT 'SFUNC = ' || g.aggtransfn::regproc || ', STYPE = ' || format_type(g.aggtranstype,
            NULL)
            || coalesce(', FINALFUNC = ' || nullif(g.aggfinalfn, 0)::regproc, '')
            || coalesce(', COMBINEFUNC = ' || nullif(g.aggcombinefn, 0)::regproc, '')
            || coalesce(', INITCOND = ' || quote_literal(g.agginitval), '')
            || CASE p.proparallel WHEN 's' THEN ', PARALLEL = SAFE'
                WHEN 'r' THEN ', PARALLEL = RESTRICTED' ELSE '' END
        FROM pg_aggregate g WHERE g.aggfnoid = p.oid) END
    """,
        "comment": "said.description",
        "privileges": privileges("p.proacl", "'f'", "p.proowner"),
    },
    f"""
    FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace {said("p")}
    WHERE p.oid >= 16384 AND (p.tableoid, p.oid) NOT IN (TABLE not_own)
    """,
)

_EVENT_TRIGGER = part(
    "'event trigger', quote_ident(v.evtname), NULL, NULL",
    {
        "owner": "quote_ident(pg_get_userbyid(v.evtowner))",
        "event": "v.evtevent::text",
        "tags": "array_to_string(v.evttags, E',\\n')",
        "function": "v.evtfoid::regproc::text",
        "enabled": enabled("v.evtenabled"),
        "comment": "said.description",
    },
    f"""
    FROM pg_event_trigger v {said("v")}
    WHERE (v.tableoid, v.oid) NOT IN (TABLE not_own)
    """,
)

_DEFAULT_PRIVILEGES = part(
    """
    'default privileges',
        'FOR ROLE ' || quote_ident(pg_get_userbyid(f.defaclrole))
        || coalesce(' IN SCHEMA ' || s.sql, '') || ' ON ' || CASE f.defaclobjtype
        WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
        WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
        CASE WHEN s.sql IS NOT NULL THEN 'schema' END, s.sql
    """,
    {
        "privileges": privileges("f.defaclacl", "f.kind", "f.defaclrole"),
    },
    """
    FROM (
        -- Those of one schema are added to the general ones. A column is what has none at first.
        SELECT *, CASE WHEN defaclnamespace <> 0 THEN 'c' WHEN defaclobjtype = 'S' THEN 's'
            ELSE defaclobjtype END::"char" AS kind FROM pg_default_acl
    ) f LEFT JOIN schema s ON s.oid = f.defaclnamespace
    WHERE f.defaclnamespace = 0 OR s.oid IS NOT NULL
    """,
)

#: What is described by the parts above and those of relations, as far as it is.
_DESCRIBED = (
    *("pg_attrdef", "pg_class", "pg_constraint", "pg_default_acl", "pg_event_trigger"),
    *("pg_extension", "pg_namespace", "pg_policy", "pg_proc", "pg_rewrite", "pg_statistic_ext"),
    *("pg_trigger", "pg_type"),
)
#: The rows of big values, and the parts of operator families, which nobody makes one by one.
_LEFT_OUT = ("pg_largeobject", "pg_amop", "pg_amproc")

# Whatever else depends on something: on its schema at least, where it has one. What it has of the
# server's own, and that the first superuser is the owner, is not written down.
_NAMED = part(
    "i.type, i.identity, NULL, NULL",
    {
        "comment": "said.description",
    },
    f"""
    FROM (
        SELECT classid, objid FROM pg_depend
        UNION
        SELECT classid, objid FROM pg_shdepend
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION
        SELECT tableoid, oid FROM pg_cast
        UNION
        SELECT tableoid, oid FROM pg_publication
        UNION
        SELECT tableoid, oid FROM pg_foreign_data_wrapper
        UNION
        SELECT tableoid, oid FROM pg_language
        UNION
        SELECT tableoid, oid FROM pg_am
        UNION
        SELECT 'pg_subscription'::regclass, oid FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) o CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i
    LEFT JOIN said ON said.classoid = o.classid AND said.objoid = o.objid AND said.objsubid = 0
    WHERE o.objid >= 16384 AND o.classid <> ALL (ARRAY[{
        ", ".join(f"'{each}'::regclass" for each in (*_DESCRIBED, *_LEFT_OUT))
    }]::oid[])
    AND (o.classid, o.objid) NOT IN (TABLE not_own) AND i.type IS NOT NULL
    """,  # noqa: S608 - all parts are constants
)

SCHEMAS = (_SCHEMA, _EXTENSION)
TYPES = (_TYPE, _DOMAIN_CONSTRAINT)
OTHERS = (_FUNCTION, _EVENT_TRIGGER, _DEFAULT_PRIVILEGES, _NAMED)

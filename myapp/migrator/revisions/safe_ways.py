"""The safe way to do what a statement does: the code of revisions, ready to paste.

Each function returns the bodies of `upgrade()` of one revision after another.
"""

import re
from collections.abc import Sequence

from ..base.quoting import quoted
from .ddl import Change, changes, closing, plain, top_level
from .operation_code import (
    computed,
    concurrent_index,
    execute,
    fill,
    made_name,
    names,
    new_check,
    new_column,
    not_null,
    outside,
    schema_argument,
    text_clause,
    trigger,
    validate,
    without_trigger,
)

#: The line between the code of one revision and that of the next.
NEXT = "# In the next revision, deployed after this one:"
#: The line before what would stay if anything else in its revision failed.
ALONE = "# Alone in its revision: it is not rolled back with other changes."
_BACK = "# In its downgrade(): drop the constraint, and add it again as above."
_OUTSIDE = re.compile(r"\b(?:autocommit_block|create_index_concurrently)\(")
_INCLUDE = re.compile(r"INCLUDE ?\(([^)]*)\)", re.I)
_DEFERRED = re.compile(r"\b(?:(?:NOT )?DEFERRABLE|INITIALLY)\b.*$", re.I)
_TAIL = re.compile(r"(ON DELETE|ON UPDATE) (CASCADE|RESTRICT|NO ACTION|SET NULL|SET DEFAULT)", re.I)


def index(change: Change) -> list[str]:
    """Return how to create an index while the application goes on writing."""
    rest = change.get("rest")
    end = closing(rest)
    columns, tail = top_level(rest[:end]), rest[end + 1 :].strip()
    where = re.fullmatch(r"WHERE (.+)", tail, re.I)
    if (tail and not where) or not change.get("name"):
        unique = "UNIQUE " if change.get("unique") else ""
        using = f" USING {change.get('using')}" if change.get("using") else ""
        name = f" {change.get('name')}" if change.get("name") else ""
        sql = f"CREATE {unique}INDEX CONCURRENTLY{name} ON {change.sql_table}{using} ({rest}"
        return [outside(sql)]
    options = schema_argument(change)
    if change.get("unique"):
        options += ", unique=True"
    if change.get("using").lower() not in ("", "btree"):
        options += f", postgresql_using={change.get('using')!r}"
    if where:
        options += f", postgresql_where={text_clause(where[1])}"
    return [concurrent_index(change.name("name"), change, columns, options)]


def foreign_key(change: Change) -> list[str]:
    """Return how to add a foreign key without a check of all rows under its locks."""
    columns, others = names(change.get("columns")), names(change.get("others"))
    name = change.name("name") or made_name(change, "_".join(columns), "fkey")
    rest = change.get("rest")
    options = {key.upper(): value.upper() for key, value in _TAIL.findall(rest)}
    if _TAIL.sub("", rest).strip() or not others:
        columns_sql = change.get("columns")
        other = change.get("other") + (f" ({change.get('others')})" if others else "")
        add = execute(
            f"ALTER TABLE {change.sql_table} ADD CONSTRAINT {quoted(name)}"
            f" FOREIGN KEY ({columns_sql}) REFERENCES {other} {rest}".rstrip()
            + " NOT VALID"
        )
    else:
        schema, _, other = change.get("other").rpartition(".")
        given = f", source_schema={plain(change.schema)!r}" if change.schema else ""
        given += f", referent_schema={plain(schema)!r}" if schema else ""
        given += "".join(f", {k.lower().replace(' ', '')}={v!r}" for k, v in options.items())
        add = (
            f"op.create_foreign_key(op.f({name!r}), {plain(change.table)!r}, {plain(other)!r},"
            f" {columns!r}, {others!r}{given}, postgresql_not_valid=True)"
        )
    return [add, f"{validate(change, name)}\n{_BACK}"]


def check(change: Change) -> list[str]:
    """Return how to add a check constraint without a look at all rows under its lock."""
    name = change.name("name") or made_name(change, "", "check")
    more = change.get("rest")
    checked = f"{validate(change, name)}\n{_BACK}"
    return [new_check(change, name, change.get("condition"), more), checked]


def set_not_null(change: Change) -> list[str]:
    """Return how to make a column NOT NULL: PostgreSQL trusts a check that was validated."""
    return not_null(change, change.name("column"))


def unique(change: Change) -> list[str]:
    """Return how to add a unique constraint: its index first."""
    include = _INCLUDE.search(change.get("rest"))
    columns = names(change.get("columns")) + names(include[1] if include else "")
    name = change.name("name") or made_name(change, "_".join(columns), "key")
    return _using_index(change, name, "UNIQUE")


def primary_key(change: Change) -> list[str]:
    """Return how to add a primary key: its columns NOT NULL and its index first."""
    name = change.name("name") or made_name(change, "", "pkey")
    first = [code for column in names(change.get("columns")) for code in not_null(change, column)]
    return [*first, *_using_index(change, name, "PRIMARY KEY")]


def column_type(change: Change) -> list[str]:
    """Return how to change a column's type: fill another column, and swap the two."""
    column, type_ = change.name("column"), change.get("type")
    new, using = f"{column[:59]}_new", change.get("using") or quoted(column)
    cast = f"CAST({using} AS {type_})"
    swap = "\n".join(
        [
            "# First make the indexes, constraints and default of the column on the new one, too.\n"
            "# A sequence that it owns goes with it: `ALTER SEQUENCE ... OWNED BY` the new one.",
            f"# migrate: allow drop-column because {new} takes its place and name",
            f"# migrate: allow rename-column because no code uses the name {new}",
            *without_trigger(change, new),
            f"op.drop_column({plain(change.table)!r}, {column!r}{schema_argument(change)})",
            f"op.alter_column({plain(change.table)!r}, {new!r}, new_column_name={column!r}"
            f"{schema_argument(change)})",
        ]
    )
    return [
        new_column(change, new, type_) + "\n" + trigger(change, new, computed(change, new, cast)),
        fill(change, new, cast),
        swap,
    ]


def rename_column(change: Change, type_: str | None) -> list[str]:
    """Return how to rename a column: both names are there until no running code uses the old one.

    `type_` is the column's; without it, the code asks the database.
    """
    old, new = change.name("column"), change.name("new")
    was, now = quoted(old), quoted(new)
    body = (
        f"IF TG_OP = 'INSERT' THEN NEW.{now} := coalesce(NEW.{now}, NEW.{was});"
        f" NEW.{was} := NEW.{now};"
        f" ELSIF NEW.{was} IS DISTINCT FROM OLD.{was} THEN NEW.{now} := NEW.{was};"
        f" ELSE NEW.{was} := NEW.{now}; END IF;"
    )
    drop = "\n".join(
        [
            f"# migrate: allow drop-column because no running code uses {old}",
            *without_trigger(change, new),
            f"op.drop_column({plain(change.table)!r}, {old!r}{schema_argument(change)})",
        ]
    )
    table, schema = plain(change.table), schema_argument(change)
    made = (
        new_column(change, new, type_)
        if type_
        else f"columns = sa.inspect(op.get_bind()).get_columns({table!r}{schema})\n"
        f"types = {{each['name']: each['type'] for each in columns}}\n"
        f"op.add_column({table!r}, sa.Column({new!r}, types[{old!r}]){schema})"
    )
    return [
        made + "\n" + trigger(change, new, body),
        fill(change, new, was),
        drop,
    ]


def rename_table(change: Change) -> list[str]:
    """Return how to rename a table: a view has its old name until no running code uses that."""
    old, new = plain(change.table), change.name("new")
    schema = f"{change.schema}." if change.schema else ""
    view = f"CREATE VIEW {schema}{quoted(old)} AS SELECT * FROM {schema}{quoted(new)}"  # noqa: S608 - shown
    return [
        f"# migrate: allow rename-table because a view has the name {old}\n"
        f"op.rename_table({old!r}, {new!r}{schema_argument(change)})\n{execute(view)}",
        execute(f"DROP VIEW {schema}{quoted(old)}"),
    ]


def drop_column(change: Change) -> list[str]:
    """Return how to drop a column: when the code that runs no longer uses it."""
    table, column = plain(change.table), change.name("column")
    return [
        f"op.alter_column({table!r}, {column!r}, nullable=True{schema_argument(change)})",
        f"# migrate: allow drop-column because no running code uses {column}\n"
        f"op.drop_column({table!r}, {column!r}{schema_argument(change)})",
    ]


def drop_table(change: Change) -> list[str]:
    """Return how to drop a table: when the code that runs no longer uses it."""
    return [
        "pass  # deploy the code that no longer uses the table",
        f"# migrate: allow drop-table because no running code uses {plain(change.table)}\n"
        f"op.drop_table({plain(change.table)!r}{schema_argument(change)})",
    ]


def alone(sql: Sequence[str]) -> list[str]:
    """Return how to run statements apart: each in a revision, and so a transaction, of its own."""
    return [execute(each) for each in sql]


def _using_index(change: Change, name: str, kind: str) -> list[str]:
    """Return how to build an index, and make a constraint of this `kind` of it."""
    tail = _DEFERRED.search(change.get("rest"))
    options = change.get("rest")[: tail.start() if tail else None].strip()
    options = re.sub(r"\bUSING INDEX TABLESPACE\b", "TABLESPACE", options, flags=re.I)
    if nulls := change.get("nulls"):
        include = _INCLUDE.match(options)
        at = include.end() if include else 0
        options = f"{options[:at]} {nulls} {options[at:]}".strip()
    (built,) = changes(
        f"CREATE UNIQUE INDEX {quoted(name)} ON {change.sql_table}"
        f" ({change.get('columns')}) {options}"
    )
    made = (
        f"ALTER TABLE {change.sql_table} ADD CONSTRAINT {quoted(name)} {kind}"
        f" USING INDEX {quoted(name)} {tail[0] if tail else ''}"
    )
    return [*index(built), execute(made.rstrip())]


def as_text(bodies: Sequence[str]) -> str:
    """Return the bodies of several revisions as one text."""
    told = [f"{ALONE}\n{body}" if _OUTSIDE.search(body) else body for body in bodies]
    return f"\n\n{NEXT}\n".join(told)

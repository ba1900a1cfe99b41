"""The safe ways to work on indexes, partitions and materialized views, as code."""

import re

from .ddl import Change, plain
from .operation_code import (
    execute,
    new_check,
    outside,
    schema_argument,
    text_clause,
    validate,
)

_BOUNDS = re.compile(
    r"FOR VALUES (?!.*(?:MINVALUE|MAXVALUE|NULL))(?:IN ?\((?P<values>[^()]+)\)"
    r"|FROM ?\((?P<first>[^(),]+)\) TO ?\((?P<last>[^(),]+)\))",
    re.I,
)


def reindex(change: Change) -> list[str]:
    """Return how to make indexes anew while the application goes on writing."""
    return [outside(f"REINDEX {change.get('what').upper()} CONCURRENTLY {change.sql_table}")]


def refresh(change: Change) -> list[str]:
    """Return how to fill a materialized view anew while the application goes on reading it."""
    return [
        "# It needs a unique index of columns on the view, and without WHERE.\n"
        + execute(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {change.sql_table}")
    ]


def drop_index(change: Change) -> list[str]:
    """Return how to drop an index while the application goes on."""
    return [outside(f"DROP INDEX CONCURRENTLY {change.sql_table}")]


def detach(change: Change) -> list[str]:
    """Return how to take a partition out while the application goes on."""
    other = change.get("other")
    return [outside(f"ALTER TABLE {change.sql_table} DETACH PARTITION {other} CONCURRENTLY")]


def attach(change: Change) -> list[str]:
    """Return how to take a partition in: PostgreSQL trusts a check that says its bounds.

    There is none to write for several columns, a hash or the default partition.
    """
    bounds = _BOUNDS.fullmatch(change.get("rest"))
    if not bounds:
        return []
    schema, _, table = change.get("other").rpartition(".")
    part = Change("check", table, schema or None, {})
    name = f"{plain(table)}_bounds"
    condition = "{key} IS NOT NULL AND "
    if bounds["values"]:
        condition += f"{{key}} IN ({_braced(bounds['values'])})"
    else:
        first, last = _braced(bounds["first"]), _braced(bounds["last"])
        condition += f"{{key}} >= {first} AND {{key}} < {last}"
    key = f"SELECT substring(pg_get_partkeydef('{change.sql_table}'::regclass) FROM '[(](.*)[)]')"  # noqa: S608 - shown
    made = new_check(part, name, condition).replace("sa.text(", "sa.text(f", 1)
    return [
        f"key = op.get_bind().scalar({text_clause(key)})\n{made}",
        validate(part, name),
        execute(
            f"ALTER TABLE {change.sql_table} ATTACH PARTITION {change.get('other')}"
            f" {change.get('rest')}"
        )
        + f"\nop.drop_constraint(op.f({name!r}), {plain(table)!r}{schema_argument(part)})",
    ]


def _braced(text: str) -> str:
    """Return SQL as it stands in an f-string."""
    return text.replace("{", "{{").replace("}", "}}")

"""The safe way to change all rows of a table: the code of a revision, ready to paste."""

import re
from collections.abc import Mapping

from .ddl import Change, masked, plain, top_level
from .operation_code import schema_argument

_ROWS = 10_000


def rows(change: Change, parameters: Mapping[str, object] | None) -> list[str]:
    """Return how to change all rows of a table: some thousands at a time, by the primary key.

    There is none for an UPDATE that makes a column of itself: it can't begin anew.
    """
    table = change.sql_table
    sets, where = _top_where(change)
    if _makes_of_itself(sets):
        return []
    doing = f"UPDATE {table} SET {sets}" if sets else f"DELETE FROM {table}"  # noqa: S608 - shown
    sql = f"{doing} WHERE {f'({where}) AND ' if where else ''}{table}.".replace(":", r"\:")
    sql = re.sub(r"%\((\w+)\)s(?:\\:\\:[\w ]+)?", r":\1", sql)
    given = "".join(f", {key!r}: {value!r}" for key, value in (parameters or {}).items())
    return [
        f"bind = op.get_bind()\n"
        f"table = sa.Table({plain(change.table)!r}, sa.MetaData(){schema_argument(change)},"
        f" autoload_with=bind, resolve_fks=False)\n"
        f"if len(table.primary_key) != 1:\n"
        f"    raise ValueError('the batches need a primary key of one column')\n"
        f"(key,) = table.primary_key\n"
        f"name = bind.dialect.identifier_preparer.quote(key.name)\n"
        f"batch = sa.text({sql!r} + name + ' BETWEEN :first_key AND :last_key').bindparams(\n"
        f"    sa.bindparam('first_key', type_=key.type), sa.bindparam('last_key', type_=key.type)\n"
        f")\n"
        f"keys = sa.select(key).order_by(key)\n"
        f"with op.get_context().autocommit_block():\n"
        f"    some = bind.scalars(keys.limit({_ROWS})).all()\n"
        f"    while some:\n"
        f'        bind.execute(batch, {{"first_key": some[0], "last_key": some[-1]{given}}})\n'
        f"        some = bind.scalars(keys.where(key > some[-1]).limit({_ROWS})).all()"
    ]


def _top_where(change: Change) -> tuple[str, str]:
    """Return what is set, and for which rows: the WHERE of a subquery is none of these."""
    sets, where = change.get("set"), change.get("where")
    if not sets or not where:
        return sets, where
    whole = f"{sets} WHERE {where}"
    found = re.search(r" WHERE ", masked(whole), re.I)
    return (whole[: found.start()], whole[found.end() :]) if found else (whole, "")


def _makes_of_itself(sets: str) -> bool:
    """Tell whether a column that is set is read, too: a second run would change it once more."""
    parts = [each.partition("=") for each in top_level(sets)]
    targets = {name.lower() for left, _, _ in parts for name in re.findall(r"\w+", left)}
    read = " ".join(re.sub(r"'(?:[^']|'')*'", "", right) for _, _, right in parts)
    read = re.sub(r"%\(\w+\)s", "", read)
    return not targets.isdisjoint(re.findall(r"\w+", read.lower()))

"""Which part of a statement is dangerous, by which rule, and the safe way to do it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from . import column_ways, relation_ways, safe_ways
from .allowances import names_of
from .column_ways import REQUIRED
from .ddl import Change, changes

Ways = Callable[[Change], list[str]]
#: For what reads or writes a table as a whole: the rule, and the safe way.
_WORK: dict[str, tuple[str, Ways]] = {
    "index": ("index-not-concurrent", safe_ways.index),
    "foreign_key": ("foreign-key-validated-at-once", safe_ways.foreign_key),
    "check": ("check-validated-at-once", safe_ways.check),
    "set_not_null": ("set-not-null-scans", safe_ways.set_not_null),
    "unique": ("unique-constraint-builds-index", safe_ways.unique),
    "primary_key": ("primary-key-builds-index", safe_ways.primary_key),
    "type": ("type-change-rewrites", safe_ways.column_type),
    "attach": ("scan-under-lock", relation_ways.attach),
    "reindex": ("rewrite-under-lock", relation_ways.reindex),
    "refresh": ("rewrite-under-lock", relation_ways.refresh),
}
#: For what the linter alone minds, by its rule: the kind of change, and the safe way.
_LINTED: dict[str, tuple[str, Ways]] = {
    REQUIRED: ("add_column", column_ways.required),
    "ban-concurrent-index-creation-in-transaction": ("index", safe_ways.index),
    "require-concurrent-index-deletion": ("drop_index", relation_ways.drop_index),
    "require-concurrent-partition-detach": ("detach", relation_ways.detach),
}
#: For what breaks running code: the rule, and why.
BREAKING: dict[str, tuple[str, str]] = {
    "rename_table": ("rename-table", "running code still uses the old name of the table"),
    "rename_column": ("rename-column", "running code still uses the old name of the column"),
    "drop_table": ("drop-table", "running code may still use the table"),
    "drop_column": ("drop-column", "running code may still use the column"),
}
#: Why there is no safe way, by the beginning of a statement or an action.
_NO_WAY = {
    "exclude": "PostgreSQL builds an EXCLUDE constraint in no other way.",
    "domain": "PostgreSQL has no other way for a domain; a check on each table has one.",
    "update": "It makes a column of itself: if it stops midway, batches would change rows twice.",
    "attach": "Its safe way is a check of the same bounds that is valid, but these can't be read.",
}
_REPACK = "The extension pg_repack does the same without that lock."
_UNKNOWN = "No safe way is known: run it when nobody needs the table."


class Cause(NamedTuple):
    """A part of a statement: the rule that it breaks, and the bodies of the safe way, if any."""

    rule: str
    ways: list[str]


def causes(found: Iterable[Change]) -> list[Cause]:
    """Return what of the changes of one statement reads or writes tables as a whole."""
    made = []
    for each in found:
        if each.kind == "add_column":
            if rule := column_ways.rule(each):
                way: Ways = column_ways.required if rule == REQUIRED else column_ways.add_column
                made.append(Cause(rule, way(each)))
        elif each.kind in _WORK and not each.get("rest").upper().endswith("NOT VALID"):
            rule, way = _WORK[each.kind]
            made.append(Cause(rule, way(each)))
    return made


def breaking(change: Change, type_: str | None = None) -> Cause:
    """Return the rule of a change in BREAKING; `type_` is that of a column that is renamed."""
    rule, _ = BREAKING[change.kind]
    if change.kind == "rename_column":
        return Cause(rule, safe_ways.rename_column(change, type_))
    way: Ways = getattr(safe_ways, change.kind)
    return Cause(rule, way(change))


def apart(sql: Iterable[str]) -> list[str]:
    """Return how to run statements one after another: in its safe way each that has one."""
    made = []
    for each in sql:
        found = changes(each)
        works = causes(found)
        is_whole = bool(works) and len(works) == len(found) and all(one.ways for one in works)
        ways = [body for one in works for body in one.ways]
        made += ways if is_whole else safe_ways.alone([each])
    return made


def is_of_work(rule: str) -> bool:
    """Tell whether a rule of the linter is about tables that are read or written as a whole."""
    breaking_rules = {own for own, _ in BREAKING.values()}
    return any(own not in breaking_rules for own in names_of(rule)[1:])


def why_none(sql: str) -> str:
    """Return why a statement that reads or writes a table as a whole has no safe way."""
    kinds = [each.kind for each in changes(sql)]
    if sql.lstrip().upper().startswith(("CLUSTER", "VACUUM")):
        return _REPACK
    return next((_NO_WAY[kind] for kind in kinds if kind in _NO_WAY), _UNKNOWN)


def remedy(rule: str, sql: str) -> str:
    """Return the safe way for a statement in which the linter has found `rule`, empty for none."""
    found = changes(sql)
    if rule in _LINTED:
        kind, way = _LINTED[rule]
        made = [way(each) for each in found if each.kind == kind]
    else:
        every = causes(found) + [breaking(each) for each in found if each.kind in BREAKING]
        made = [each.ways for each in every if rule in names_of(each.rule)]
    return safe_ways.as_text([body for ways in made for body in ways])

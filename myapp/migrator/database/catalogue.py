"""What stands in a database's schema, as a plain value, and how two of them differ.

Nothing is reflected into objects of SQLAlchemy: these know no checks, enums, triggers, functions,
policies, comments or privileges, and take a thousand times as long.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from sqlalchemy.engine import Connection

from ..base.errors import SettingsError

#: What is known of an object, by name. What it has not, or what is the default, is not there.
Facts: TypeAlias = Mapping[str, str]

#: The kinds, each after those that it is made of.
_KINDS = (
    *("schema", "extension", "type", "domain", "domain constraint", "function", "procedure"),
    *("aggregate", "sequence", "table", "foreign table", "column", "column order", "view"),
    *("materialized view", "constraint", "index", "statistics", "rule", "policy", "trigger"),
    *("event trigger", "default privileges"),
)
#: What stands in the way of changes of other things, and is dropped before these.
_DROPPED_FIRST = set(_KINDS[_KINDS.index("view") :])

#: The order of a table's columns. A column that was dropped and added again is the last one.
ORDER = "column order"


class SchemaObject(NamedTuple):
    """One object of a schema.

    `kind` is SQL's word for it, as `table`. `name` is as SQL names it, with its schema. `of` is the
    kind and the name of the object without which it could not be: a column's table.
    """

    kind: str
    name: str
    of: tuple[str, str] | None
    facts: Facts

    @property
    def definition(self) -> str:
        """All that is known of it, a line for each fact."""
        return "\n".join(f"{name}: {value}" for name, value in self.facts.items())

    @property
    def bare(self) -> str:
        """Its name, without that of the table or domain which it is a part of."""
        if self.of is None:
            return self.name
        of = self.of[1]
        if self.kind == "column":
            return self.name.removeprefix(f"{of}.")
        return self.name.removesuffix(f" ON {of}").removesuffix(f" ON DOMAIN {of}")


#: A schema: its objects by kind and name.
Catalogue: TypeAlias = Mapping[tuple[str, str], SchemaObject]


@dataclass(frozen=True)
class Difference:
    """An object that differs; `expected` or `found` is None where it is not there."""

    kind: str
    name: str
    expected: SchemaObject | None
    found: SchemaObject | None

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the facts that differ, where the object is there on both sides."""
        if self.expected is None or self.found is None:
            return ()
        expected, found = self.expected.facts, self.found.facts
        return tuple(n for n in {**expected, **found} if expected.get(n) != found.get(n))


def catalogue(connection: Connection, without: Collection[str] = ()) -> Catalogue:
    """Return what stands in the schemas of a database, but for the system's own.

    It only reads, in the transaction of `connection`, which must not be in autocommit mode. Left
    out are what belongs to an extension, and the tables that `without` names, as SQL does with
    their schema: the version table.

    Raises SettingsError for a database that is neither PostgreSQL nor SQLite.
    """
    name = connection.dialect.name
    if name == "postgresql":
        from .catalogue_postgresql import objects
    elif name == "sqlite":
        from .catalogue_sqlite import objects
    else:
        raise SettingsError(
            f"Schemas of PostgreSQL and SQLite can be compared, and none of {name}.",
            hint="`{cmd} check` compares the models with any database.",
        )
    hidden = {("table", each) for each in without}
    found: dict[tuple[str, str], SchemaObject] = {}
    for each in objects(connection):
        key = each.kind, each.name
        if key in hidden or each.of in hidden:
            hidden.add(key)  # its columns have sequences
        else:
            found[key] = each
    return found


def in_order(objects: Iterable[SchemaObject]) -> list[SchemaObject]:
    """Return objects in an order in which they can be made."""

    def place(one: SchemaObject) -> tuple[int, bool, str]:
        # A foreign key needs the key of another table.
        is_late = one.facts.get("definition", "").startswith("FOREIGN KEY")
        return _KINDS.index(one.kind), is_late, one.name

    return sorted(objects, key=place)


def differences(expected: Catalogue, found: Catalogue) -> tuple[Difference, ...]:
    """Return how two schemas differ, in an order in which `found` can be brought to `expected`.

    Where a table is there on one side only, its columns and indexes are not told too. The order of
    columns is told of those that both sides have, as a difference of the kind ORDER.
    """
    if expected == found:
        return ()
    more = in_order(each for key, each in found.items() if key not in expected)
    less_or_changed = in_order(
        each for key, each in expected.items() if key not in found or each.facts != found[key].facts
    )
    first = [each for each in reversed(more) if each.kind in _DROPPED_FIRST]
    last = [each for each in reversed(more) if each.kind not in _DROPPED_FIRST]
    return tuple(
        Difference(each.kind, each.name, expected.get(key), found.get(key))
        for each in (*first, *less_or_changed, *last)
        if _is_told(key := (each.kind, each.name), expected, found)
    )


def _is_told(key: tuple[str, str], expected: Catalogue, found: Catalogue) -> bool:
    one, other = expected.get(key), found.get(key)
    if one and other:
        return key[0] != ORDER or not _same_order(one, other)
    only = one or other
    assert only is not None  # noqa: S101 - one side has it
    if only.of is None:
        return True
    if key[0] == "sequence" and only.of[0] == "column" and "owned by" not in only.facts:
        return False  # a fact of its column: the identity
    # What it is a part of is told already.
    return (only.of in expected) == (only.of in found)


def _same_order(one: SchemaObject, other: SchemaObject) -> bool:
    """Tell whether the columns that both sides have follow each other in the same order."""
    names, others = (each.facts["columns"].split("\n") for each in (one, other))
    shared = set(names) & set(others)
    return [n for n in names if n in shared] == [n for n in others if n in shared]

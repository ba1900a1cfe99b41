"""What stands in a database's schema, as a plain value, and how two of them differ.

Nothing is reflected into objects of SQLAlchemy: these know no checks, enums, triggers, functions,
policies, comments or privileges, and take a thousand times as long.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from sqlalchemy.engine import Connection

from ..base.errors import SettingsError

#: What is known of an object, by name. What it has not, or what is the default, is not there.
Facts: TypeAlias = Mapping[str, str]

#: The order of a table's columns. A column that was dropped and added again is the last one.
ORDER = "column order"
#: What a column has for itself, and its table's partitions and heirs have not got from it.
_OWN = {"comment", "privileges", "options", "statistics", "storage"}
#: What goes with an object that is dropped, for those who undo its creation.
LOST = {
    "schema": "All that is in it has to go first.",
    "table": "Its rows are lost.",
    "column": "Its values are lost.",
}


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
    def key(self) -> tuple[str, str]:
        """How a catalogue knows it."""
        return self.kind, self.name

    @property
    def definition(self) -> str:
        """All that is known of it, a line for each fact."""
        return "\n".join(f"{name}: {value}" for name, value in self.facts.items())

    @property
    def is_of_column(self) -> bool:
        """Whether it is the sequence of a column, which has the owner of the table."""
        return self.of is not None and self.of[0] == "column"

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
        key = each.key
        if key in hidden or each.of in hidden:
            hidden.add(key)  # its columns have sequences
        else:
            found[key] = each
    return found


def differences(expected: Catalogue, found: Catalogue) -> tuple[Difference, ...]:
    """Return how two schemas differ, in an order in which `found` can be brought to `expected`.

    Where a table is there on one side only, its columns and indexes are not told too. The order of
    columns is told of those that both sides have, as a difference of the kind ORDER.
    """
    if expected == found:
        return ()
    from .making_order import DROPPED_FIRST, in_order  # few schemas differ

    told = {
        key
        for key in {**expected, **found}
        if expected.get(key) != found.get(key) and _is_told(key, expected, found)
    }
    more = in_order((found[key] for key in told if key not in expected), found)
    others = in_order((expected[key] for key in told if key in expected), expected)
    first = [each for each in reversed(more) if each.kind in DROPPED_FIRST]
    last = [each for each in reversed(more) if each.kind not in DROPPED_FIRST]
    keys = [each.key for each in (*first, *others, *last)]
    return tuple(Difference(*key, expected.get(key), found.get(key)) for key in keys)


def _is_told(key: tuple[str, str], expected: Catalogue, found: Catalogue) -> bool:
    one, other = expected.get(key), found.get(key)
    if key[0] in ("column", ORDER) and _is_inherited(key, expected, found):
        return False
    if one and other:
        return one.facts != other.facts and not (key[0] == ORDER and _same_order(one, other))
    only = one or other
    assert only is not None  # noqa: S101 - one side has it
    if only.of is None:
        return True
    if key[0] == "column" and only.of[0] in ("view", "materialized view"):
        return False  # a fact of its view
    if key[0] == "sequence" and only.of[0] == "column" and "owned by" not in only.facts:
        return False  # a fact of its column: the identity
    # What it is a part of is told already.
    return (only.of in expected) == (only.of in found)


def _is_inherited(key: tuple[str, str], expected: Catalogue, found: Catalogue) -> bool:
    """Tell whether a column of the table's parent differs in the same way."""
    one = expected.get(key) or found[key]
    assert one.of is not None  # noqa: S101 - a part of a table
    table = found.get(one.of) or expected[one.of]
    parents = table.facts.get("partition of") or table.facts.get("inherits")
    if parents is None:
        return False
    change = _change(key, expected, found)
    return not change.keys() & _OWN and any(
        change == _change((key[0], key[1].replace(table.name, parent, 1)), expected, found)
        for parent in parents.split(", ")
    )


def _change(key: tuple[str, str], expected: Catalogue, found: Catalogue) -> dict[str, object]:
    one, other = expected.get(key), found.get(key)
    if one is None or other is None:
        return {"": (one is None, other is None)}
    return {
        fact: (one.facts.get(fact), other.facts.get(fact))
        for fact in Difference(*key, one, other).changed
    }


def _same_order(one: SchemaObject, other: SchemaObject) -> bool:
    """Tell whether the columns that both sides have follow each other in the same order."""
    names, others = (each.facts["columns"].split("\n") for each in (one, other))
    shared = set(names) & set(others)
    return [n for n in names if n in shared] == [n for n in others if n in shared]


def end_of_schema(name: str) -> int:
    """Return where the schema of a name ends, its dot too."""
    found = re.match(r'(?:"(?:[^"]|"")*"|[^."]+)\.', name)
    return found.end() if found else 0

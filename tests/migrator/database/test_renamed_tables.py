"""Which table is the one that is missing, under another name."""

import pytest

from myapp.migrator.database.catalogue import Catalogue, SchemaObject
from myapp.migrator.database.renamed_tables import renamed_tables

USERS = {"id": "integer", "name": "text", "email": "text"}
RETYPED = {**USERS, "email": "varchar"}
COLUMN_RENAMED = {"id": "integer", "name": "text", "mail": "text"}
OTHER = {"id": "integer", "size": "integer", "at": "date"}


def schema(**tables: dict[str, str]) -> Catalogue:
    made = [SchemaObject("table", name, None, {}) for name in tables]
    for table, columns in tables.items():
        of = ("table", table)
        made += [SchemaObject("column", f"{table}.{n}", of, {"type": columns[n]}) for n in columns]
    return {each.key: each for each in made}


@pytest.mark.parametrize(
    ("there", "renamed"),
    [
        ({"people": USERS}, "people"),
        ({"people": RETYPED}, "people"),
        ({"people": COLUMN_RENAMED}, "people"),
        ({"people": OTHER}, None),
        ({"people": {"id": "integer", "name": "text", "a": "int", "b": "int"}}, None),
        ({"people": RETYPED, "others": OTHER}, "people"),
        ({"people": RETYPED, "copy": COLUMN_RENAMED}, None),
        ({"people": USERS, "copy": USERS}, None),
        ({"people": USERS, "like_it": RETYPED}, "people"),
        ({"users": RETYPED, "people": USERS}, None),
    ],
)
def test_a_table_was_renamed_if_most_of_its_columns_are_the_same_and_no_others_are(
    there: dict[str, dict[str, str]], renamed: str | None
) -> None:
    found = renamed_tables(schema(users=USERS), schema(**there))
    assert found == ({"users": renamed} if renamed else {})

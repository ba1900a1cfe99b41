"""Changes made by hand on SQLite: each is found, and undone where SQLite can."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from myapp.migrator.database.catalogue import catalogue, differences
from myapp.migrator.database.undo_sqlite import undo

SCHEMA = """
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, "Region" TEXT COLLATE NOCASE);
CREATE TABLE child (
    id INTEGER NOT NULL,  -- a comment, with a comma
    name VARCHAR(40) DEFAULT 'a, (b' NOT NULL,
    size NUMERIC(10, 2) DEFAULT (1 + 2) CHECK (size > 0),
    parent INTEGER REFERENCES parent (id) ON DELETE SET NULL,
    twice INTEGER GENERATED ALWAYS AS (size * 2) VIRTUAL,
    PRIMARY KEY (id),
    CONSTRAINT one_name UNIQUE (name, size)
);
CREATE INDEX by_name ON child (name DESC) WHERE size > 3;
CREATE VIEW names AS SELECT id, name FROM child;
CREATE TRIGGER touched AFTER UPDATE ON child BEGIN SELECT 1; END;
"""
#: What was changed by hand, and the kinds of the differences.
CHANGES = [
    ("CREATE TABLE extra (id INTEGER PRIMARY KEY)", "table"),
    ("DROP VIEW names; DROP TABLE child", "table view"),
    ("ALTER TABLE parent ADD COLUMN note TEXT", "column"),
    ('ALTER TABLE parent DROP COLUMN "Region"', "column"),
    ("DROP INDEX by_name", "index"),
    ("DROP INDEX by_name; CREATE UNIQUE INDEX by_name ON child (name)", "index"),
    ("CREATE INDEX more ON parent (id)", "index"),
    ("DROP VIEW names; CREATE VIEW names AS SELECT id FROM child", "view"),
    ("CREATE VIEW more AS SELECT 1", "view"),
    ("DROP TRIGGER touched", "trigger"),
    ("CREATE TRIGGER more AFTER DELETE ON parent BEGIN SELECT 1; END", "trigger"),
]


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as opened:
        run(opened, SCHEMA)
        yield opened
    engine.dispose()


def run(connection: Connection, script: str) -> None:
    connection.connection.driver_connection.executescript(script)  # type: ignore[union-attr]


@pytest.mark.parametrize(("by_hand", "kinds"), CHANGES, ids=[each for each, _ in CHANGES])
def test_a_change_by_hand_is_found_and_undone(
    by_hand: str, kinds: str, connection: Connection
) -> None:
    expected = catalogue(connection)
    run(connection, by_hand)
    found = differences(expected, catalogue(connection))
    assert " ".join(each.kind for each in found) == kinds
    statements = [statement for each in found for statement in undo(each, expected)[0]]
    run(connection, "".join(f"{statement};\n" for statement in statements))
    left = differences(expected, catalogue(connection))
    assert [each for each in left if each.kind != "column order"] == [], statements


REBUILT = """
CREATE TABLE child (
    id INTEGER NOT NULL,
    name VARCHAR(40) NOT NULL DEFAULT 'a, (b',
    size NUMERIC(10, 2) DEFAULT (1 + 2),
    parent INTEGER,
    twice INTEGER GENERATED ALWAYS AS (size * 2) VIRTUAL,
    CHECK (size > 0),
    FOREIGN KEY (parent) REFERENCES parent(id) ON DELETE SET NULL,
    PRIMARY KEY (id),
    CONSTRAINT one_name UNIQUE (name, size)
)
"""


def rebuilt(connection: Connection, statement: str) -> None:
    """Build the table again, as Alembic's batch mode does."""
    run(
        connection,
        "DROP VIEW names; DROP TABLE child; "
        + statement.replace("TABLE child", 'TABLE "_alembic_tmp_child"', 1)
        + '; ALTER TABLE "_alembic_tmp_child" RENAME TO child;'
        + SCHEMA[SCHEMA.index("CREATE INDEX") :],
    )


def test_the_same_table_in_other_words_is_the_same(connection: Connection) -> None:
    expected = catalogue(connection)
    rebuilt(connection, REBUILT)
    assert differences(expected, catalogue(connection)) == ()


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("VARCHAR(40) NOT NULL", "VARCHAR(50) NOT NULL", "column"),
        ("VARCHAR(40) NOT NULL", "VARCHAR(40)", "column"),
        ("'a, (b'", "'A, (b'", "column"),
        ("size > 0", "size >= 0", "constraint constraint"),
        ("SET NULL", "CASCADE", "constraint constraint"),
        ("UNIQUE (name, size)", "UNIQUE (name)", "constraint"),
        ("PRIMARY KEY (id),", "PRIMARY KEY (id DESC),", "constraint constraint"),
        ("    parent INTEGER,\n    twice", "    twice", "column order"),
    ],
)
def test_what_takes_a_new_table_is_told_with_its_statement(
    before: str, after: str, kind: str, connection: Connection
) -> None:
    expected = catalogue(connection)
    changed = REBUILT.replace(before, after, 1)
    if kind == "column order":
        changed = changed.replace("VIRTUAL,", "VIRTUAL,\n    parent INTEGER,")
    rebuilt(connection, changed)
    found = differences(expected, catalogue(connection))
    assert " ".join(each.kind for each in found) == kind
    statements, note = undo(found[0], expected)
    assert statements == []
    assert note.startswith("SQLite can't change that: build the table again with\nCREATE TABLE")
    rebuilt(connection, note.partition("\n")[2])
    assert differences(expected, catalogue(connection)) == ()


def test_a_virtual_table_and_its_shadows_are_one_thing(connection: Connection) -> None:
    expected = catalogue(connection)
    run(connection, "CREATE VIRTUAL TABLE texts USING fts5(body)")
    (found,) = differences(expected, catalogue(connection))
    assert undo(found, expected)[0] == ["DROP TABLE texts"]

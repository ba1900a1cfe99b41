"""Which rights a revision needs, read in its text."""

from pathlib import Path
from textwrap import dedent, indent

import pytest

from myapp.migrator.revisions.calls import Name
from myapp.migrator.revisions.needs import Kind, Needs, Thing, needs_of, union

T = Name(None, "t")
TABLE = Thing("relation", T)
NOTHING = frozenset[Thing]()


def needs(tmp_path: Path, body: str, *, rest: str = "") -> Needs:
    path = tmp_path / "revision.py"
    body = indent(dedent(body).strip(), "    ")
    path.write_text(
        f"{rest}\ndef upgrade():\n{body}\n\ndef downgrade():\n    op.drop_table('no')\n"
    )
    return needs_of(str(path))


@pytest.mark.parametrize(
    "body",
    [
        "op.add_column('t', sa.Column('x', sa.Integer))",
        "op.drop_column('t', 'x')",
        "op.alter_column('t', 'x', nullable=False)",
        "op.create_unique_constraint('uq', 't', ['x'])",
        "op.create_foreign_key('fk', 't', 'other', ['x'], ['id'])",
        "op.drop_constraint('uq', 't')",
        "with op.batch_alter_table('t') as batch:\n    batch.drop_column('x')",
        "op.execute('ALTER TABLE t ADD x int')",
        "op.execute('CREATE UNIQUE INDEX ON t (x)')",
        "op.execute('DROP TRIGGER tr ON t')",
        "op.execute('CREATE POLICY p ON t USING (true)')",
        "op.execute('COMMENT ON TABLE t IS NULL')",
        "op.execute('REFRESH MATERIALIZED VIEW CONCURRENTLY t')",
        "op.execute('DO $$ BEGIN ALTER TABLE t ADD x int; END $$')",
    ],
)
def test_a_table_that_is_altered_has_to_be_owned(body: str, tmp_path: Path) -> None:
    found = needs(tmp_path, body)
    assert (found.owns, found.creates, found.is_whole) == ({TABLE}, set(), True)


@pytest.mark.parametrize(
    "body",
    [
        "op.drop_table('t')",
        "op.drop_index('ix', table_name='t')",
        "op.drop_index('t')",
        "op.execute(sa.text('drop table if exists T'))",
        "op.execute('DROP INDEX CONCURRENTLY t')",
        "drop_index_concurrently('ix', 't')",
    ],
)
def test_what_is_dropped_may_belong_to_the_owner_of_the_schema(body: str, tmp_path: Path) -> None:
    found = needs(tmp_path, body)
    assert (found.owns, found.drops, found.is_whole) == (NOTHING, {TABLE}, True)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("ALTER TYPE t ADD VALUE 'x'", "type"),
        ("ALTER DOMAIN t DROP NOT NULL", "type"),
        ("ALTER SEQUENCE t RESTART", "relation"),
        ("ALTER VIEW t RENAME TO u", "relation"),
        ("CREATE OR REPLACE VIEW t AS SELECT 1", "relation"),
        ("CREATE OR REPLACE FUNCTION t() RETURNS int AS $a$ UPDATE u SET x = 1 $a$", "function"),
        ("ALTER PROCEDURE t(int) RENAME TO u", "function"),
    ],
)
def test_what_is_no_table_has_an_owner_too(sql: str, kind: Kind, tmp_path: Path) -> None:
    found = needs(tmp_path, f'op.execute("{sql}")')
    assert (found.owns, found.granted) == ({Thing(kind, T)}, set())


@pytest.mark.parametrize(
    ("body", "table"),
    [
        ("op.create_foreign_key('fk', 's', 't', ['x'], ['id'])", T),
        (
            "op.create_foreign_key('fk', 's', 't', ['x'], ['id'], referent_schema='app')",
            ("app", "t"),
        ),
        (
            "with op.batch_alter_table('s') as b:\n"
            "    b.create_foreign_key('fk', 't', ['x'], ['id'])",
            T,
        ),
        (
            "op.create_table('s', sa.Column('x', sa.Integer, sa.ForeignKey('app.t.id')))",
            ("app", "t"),
        ),
        ("op.create_table('s', sa.ForeignKeyConstraint(['x'], ['t.id']))", T),
        ("op.execute('ALTER TABLE s ADD FOREIGN KEY (x) REFERENCES t (id)')", T),
    ],
)
def test_a_foreign_key_needs_the_table_to_which_it_leads(
    body: str, table: tuple[str, str], tmp_path: Path
) -> None:
    found = needs(tmp_path, body)
    assert (found.granted, found.is_whole) == ({("REFERENCES", Name(*table))}, True)


def test_a_schema_is_that_of_the_table_which_gets_a_foreign_key(tmp_path: Path) -> None:
    found = needs(
        tmp_path, "op.create_foreign_key('f', 's', 't', ['x'], ['i'], source_schema='app')"
    )
    assert found.owns == {Thing("relation", Name("app", "s"))}


@pytest.mark.parametrize(
    "body",
    [
        "op.create_index('ix', 't', ['x'])",
        "create_index_concurrently('ix', 't', ['x'])",
        "op.rename_table('t', 'u')",
    ],
)
def test_an_index_and_a_new_name_are_made_in_the_schema(body: str, tmp_path: Path) -> None:
    found = needs(tmp_path, body)
    assert (found.owns, found.creates) == ({TABLE}, {None})


@pytest.mark.parametrize(
    ("body", "schemas"),
    [
        ("op.create_table('t', sa.Column('x', sa.Integer))", {None}),
        ("op.create_table('t', sa.Column('x', sa.Integer), schema='app')", {"app"}),
        ("op.execute('CREATE TABLE app.t (x int)')", {"app"}),
        ("op.execute('CREATE OR REPLACE VIEW v AS SELECT 1')", {None}),
        ("op.execute('CREATE TYPE color AS ENUM ()')", {None}),
        ("op.execute('CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$')", {None}),
    ],
)
def test_what_is_made_needs_its_schema(body: str, schemas: set[str], tmp_path: Path) -> None:
    assert needs(tmp_path, body).creates == schemas


@pytest.mark.parametrize(
    ("sql", "verb"),
    [
        ("UPDATE t SET x = 1", "UPDATE"),
        ("insert into t values (1)", "INSERT"),
        ("DELETE FROM ONLY t", "DELETE"),
        ("TRUNCATE TABLE t", "TRUNCATE"),
        ("CREATE TRIGGER tr BEFORE UPDATE ON t EXECUTE FUNCTION f()", "TRIGGER"),
    ],
)
def test_a_right_that_is_granted_is_told_with_the_table(
    sql: str, verb: str, tmp_path: Path
) -> None:
    assert needs(tmp_path, f"op.execute({sql!r})").granted == {(verb, T)}


@pytest.mark.parametrize("what", ["SCHEMA app", "EXTENSION IF NOT EXISTS citext"])
def test_a_schema_or_an_extension_needs_the_database(what: str, tmp_path: Path) -> None:
    assert needs(tmp_path, f"op.execute('CREATE {what}')").of_database


@pytest.mark.parametrize(
    "body",
    [
        "op.drop_table(name)",
        "op.execute(f'ALTER TABLE {name} ADD x int')",
        "op.execute(users.update().values(x=1))",
        "op.bulk_insert(users, [])",
        "sa.Enum('a', name='kind').create(op.get_bind())",
        "op.create_table('s', sa.Column('x', sa.Integer, sa.ForeignKey(users.c.id)))",
        "op.get_bind().execute(sa.select(users))",
    ],
)
def test_what_is_not_written_out_is_in_doubt(body: str, tmp_path: Path) -> None:
    assert not needs(tmp_path, body).is_whole


def test_a_file_that_cannot_be_read_is_in_doubt(tmp_path: Path) -> None:
    assert not needs(tmp_path, "op.drop_table('t'").is_whole
    assert not needs_of(str(tmp_path / "gone.py")).is_whole


def test_what_several_need_is_what_each_needs(tmp_path: Path) -> None:
    first = needs(tmp_path, "op.drop_table('t')")
    second = needs(tmp_path, "op.create_table('u')")
    both = union([first, second])
    assert (both.drops, both.creates, both.is_whole) == ({TABLE}, {None}, True)
    assert union([]) == Needs(*[frozenset()] * 4, of_database=False, is_whole=True)

"""`drift` as it is typed: an SQL script that undoes what was changed by hand."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import postgresql
from support.command import invoke
from support.database import change, feed, name_of, rows
from support.history import MakeApp, Revision, create_table
from support.postgresql import psql
from support.processes import write_env
from support.sessions import plain_user
from support.tenants import schemas_env

from myapp.scripts.drift_command import both_shown

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
]


@pytest.fixture(autouse=True)
def _nothing_is_left(temporary_folder: Path, postgresql_server: str) -> Iterator[None]:
    """Look for scratch databases after each test, in whatever way it ended."""
    scratches = "SELECT datname FROM pg_database WHERE starts_with(datname, 'migrate_scratch_')"
    before = rows(postgresql_server, scratches)
    yield
    assert rows(postgresql_server, scratches) == before
    assert list(temporary_folder.glob("migrate-scratch-*")) == []


@pytest.fixture
def ini(make_app: MakeApp, postgresql_url: str) -> Path:
    """An application whose database is at its heads."""
    ini = make_app(postgresql_url, LINE)
    assert invoke(ini, "upgrade", "-q").returncode == 0
    return ini


def test_a_database_that_nobody_has_changed_has_no_drift(ini: Path, postgresql_url: str) -> None:
    result = invoke(ini, "drift")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        f"-- No drift: {name_of(postgresql_url)} is what its revisions say, at bbb222 (add b).\n"
    )


def test_a_quiet_one_tells_differences_only(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    invoke(ini, "upgrade", "-q")
    result = invoke(ini, "drift", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    change(sqlite_url, "DROP TABLE b")
    assert invoke(ini, "drift", "-q").stdout.endswith("    PRIMARY KEY (id)\n);\n\nCOMMIT;\n")


def test_the_answer_is_a_script_that_undoes_the_changes(ini: Path, postgresql_url: str) -> None:
    change(
        postgresql_url,
        "CREATE INDEX by_hand ON a (id)",
        "ALTER TABLE b ALTER id TYPE bigint",
        "CREATE TYPE mood AS ENUM ('ok')",
    )
    result = invoke(ini, "drift")
    assert (result.returncode, result.stderr) == (4, "")
    assert result.stdout == (
        f"-- {name_of(postgresql_url)} is at bbb222 (add b): 3 differences.\n"
        "\n"
        "BEGIN;\n"
        "\n"
        "-- index public.by_hand was added.\n"
        "DROP INDEX public.by_hand;\n"
        "\n"
        "-- column public.b.id was changed:\n"
        "--   type: bigint, and not integer\n"
        "-- A value that doesn't fit the type is rounded, or stops the statement.\n"
        "ALTER TABLE public.b ALTER COLUMN id DROP DEFAULT;\n"
        "ALTER TABLE public.b ALTER COLUMN id TYPE integer USING id::integer;\n"
        "ALTER TABLE public.b ALTER COLUMN id SET DEFAULT nextval('public.b_id_seq'::regclass);\n"
        "\n"
        "-- type public.mood was added.\n"
        "DROP TYPE public.mood;\n"
        "\n"
        "COMMIT;\n"
    )
    feed(postgresql_url, result.stdout)
    assert invoke(ini, "drift").returncode == 0


def test_what_no_statement_undoes_is_a_comment(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    invoke(ini, "upgrade", "-q")
    change(sqlite_url, "DROP TABLE b", "CREATE TABLE b (id BIGINT NOT NULL PRIMARY KEY)")
    result = invoke(ini, "drift")
    assert result.returncode == 4
    assert result.stdout.partition("\n\n")[2] == (
        "-- column b.id was changed:\n"
        "--   type: bigint, and not integer\n"
        "-- SQLite can't change that: build the table again with\n"
        "-- CREATE TABLE b (\n"
        "--     id integer NOT NULL,\n"
        "--     PRIMARY KEY (id)\n"
        "-- )\n"
    )


def test_the_document_has_each_difference(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, "ALTER TABLE a ALTER id DROP DEFAULT")
    result = invoke(ini, "drift", "--json")
    found = json.loads(result.stdout)
    assert (result.returncode, found["exit_code"], found["ok"]) == (4, 4, True)
    default = "nextval('public.a_id_seq'::regclass)"
    assert found["differences"] == [
        {
            "kind": "column",
            "name": "public.a.id",
            "change": "changed",
            "facts": [{"fact": "default", "expected": default, "found": None}],
            "statements": [f"ALTER TABLE public.a ALTER COLUMN id SET DEFAULT {default}"],
            "note": None,
        }
    ]


def test_a_function_is_told_as_it_has_to_be_written(make_app: MakeApp, postgresql_url: str) -> None:
    """Its text is a part of it: no blank may be added."""
    body = "$$\nBEGIN\n\tRETURN 1;\nEND\n$$"
    made = f"CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE plpgsql AS {body}"
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=f"op.execute({made!r})")])
    invoke(ini, "upgrade", "-q")
    change(postgresql_url, made.replace("1", "2"))
    result = invoke(ini, "drift")
    assert "-- function public.one() was changed:\n" in result.stdout
    feed(postgresql_url, result.stdout)
    assert invoke(ini, "drift").returncode == 0


def test_what_is_known_by_its_name_only_is_said(make_app: MakeApp, postgresql_url: str) -> None:
    made = """CREATE CAST (money AS int8) WITH INOUT; CREATE COLLATION c FROM "C\""""
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=f"op.execute({made!r})")])
    invoke(ini, "upgrade", "-q")
    line = (
        "Of some objects only the names are compared: 1 of the kind cast, 1 of the kind collation."
    )
    assert invoke(ini, "drift").stdout.splitlines()[1:] == [f"-- {line}"]
    change(postgresql_url, "DROP CAST (money AS int8)", "CREATE PUBLICATION p")
    assert invoke(ini, "drift").stdout.partition("\n\n")[2] == (
        "BEGIN;\n"
        "\n"
        "-- cast (pg_catalog.money AS bigint) is missing.\n"
        "-- Nothing but its name is known: its revision says how it is made.\n"
        "\n"
        "-- publication p was added.\n"
        "DROP PUBLICATION p;\n"
        "\n"
        "COMMIT;\n"
        "\n"
        "-- Of some objects only the names are compared:"
        " 1 of the kind collation, 1 of the kind publication.\n"
    )
    assert json.loads(invoke(ini, "drift", "--json").stdout)["named_only"] == {
        "collation": 1,
        "publication": 1,
    }


def test_passwords_of_other_servers_are_not_shown(ini: Path, postgresql_url: str) -> None:
    change(
        postgresql_url,
        "CREATE FOREIGN DATA WRAPPER w",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (password 's3cret')",
        "CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 's3cret')",
        "CREATE FOREIGN TABLE f (id int) SERVER s OPTIONS (password 's3cret', x '1')",
    )
    for option in ("--no-color", "--json"):
        result = invoke(ini, "drift", option)
        assert (result.returncode, "s3cret" in result.stdout + result.stderr) == (4, False)


def test_what_is_lost_is_said(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, "CREATE SCHEMA mine", "CREATE TABLE mine.t (id int)")
    change(postgresql_url, "ALTER TABLE a ADD note text")
    result = invoke(ini, "drift")
    assert result.stdout.partition("\n\n")[2] == (
        "BEGIN;\n"
        "\n"
        "-- column public.a.note was added.\n"
        "-- Its values are lost.\n"
        "ALTER TABLE public.a DROP COLUMN note;\n"
        "\n"
        "-- schema mine was added.\n"
        "-- All that is in it has to go first.\n"
        "\n"
        "COMMIT;\n"
    )


@pytest.mark.parametrize(
    ("made", "by_hand", "value"),
    [
        ("varchar(5)", "varchar(9)", "'too long'"),
        ("varchar(5)", "text", "'too long'"),
        ("bit(3)", "bit(5)", "B'11111'"),
        ("varchar(5)[]", "text[]", "ARRAY['too long']"),
    ],
)
def test_no_value_is_cut(
    made: str, by_hand: str, value: str, make_app: MakeApp, postgresql_url: str
) -> None:
    added = Revision("ccc333", "bbb222", upgrade=f"op.execute('ALTER TABLE b ADD x {made}')")
    ini = make_app(postgresql_url, [*LINE, added])
    invoke(ini, "upgrade")
    change(
        postgresql_url,
        f"ALTER TABLE b ALTER x TYPE {by_hand}",
        f"INSERT INTO b (x) VALUES ({value})",
    )
    undoing = invoke(ini, "drift").stdout
    assert "x TYPE" in undoing
    with pytest.raises(RuntimeError, match=r"too long|does not match"):
        feed(postgresql_url, undoing)


def test_what_stands_in_a_name_is_never_a_statement(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, 'CREATE TABLE "x\nDROP TABLE a; --" (id int)')
    result = invoke(ini, "drift")
    assert '-- table public."x DROP TABLE a; --" was added.\n' in result.stdout
    feed(postgresql_url, result.stdout)
    assert invoke(ini, "drift").returncode == 0


def test_a_file_that_is_not_there_is_not_made(make_app: MakeApp, sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    result = invoke(make_app(sqlite_url, LINE), "drift")
    assert (result.returncode, result.stdout) == (6, "")
    assert result.stderr.startswith(
        f"Error: The database file {path} does not exist, so there is nothing to compare with.\n"
    )
    assert not Path(path).exists()


def test_a_user_who_may_make_no_database_is_told_the_grant(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        role = url.removeprefix("postgresql://").partition(":")[0]
        ini = make_app(url, LINE)
        result = invoke(ini, "drift")
        elsewhere = invoke(ini, "drift", "--scratch-url", postgresql_server)
    assert result.returncode == 6
    assert result.stderr == (
        "Error: No scratch database can be made: permission denied to create database.\n"
        f"Hint:  `ALTER ROLE {role} CREATEDB` allows it; or name a server where this user may, with"
        " `--scratch-url`.\n"
    )
    assert (elsewhere.returncode, elsewhere.stderr) == (0, "")


def test_several_schemas_of_one_database_are_refused(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    write_env(ini, schemas_env(postgresql_url, ["one", "two"]))
    result = invoke(ini, "drift")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: env.py opens 2 databases or schemas, and `drift` compares one.\n"
        "Hint:  let env.py open one of them, as by `-x tenant=NAME`.\n"
    )


def test_no_secret_of_the_settings_is_shown(make_app: MakeApp, postgresql_url: str) -> None:
    made = 'op.create_table("users", sa.Column("name", sa.Text()))'
    app = make_app(postgresql_url, [Revision("aaa111", upgrade=made)])
    assert invoke(app, "upgrade").returncode == 0
    literal = f"'{postgresql.PASSWORD}'"
    postgresql.execute(postgresql_url, f"ALTER TABLE users ALTER name SET DEFAULT {literal}")
    postgresql.execute(postgresql_url, f"ALTER TABLE users ADD CHECK (name <> {literal})")

    done = invoke(app, "drift")
    document = invoke(app, "drift", "--json")

    assert done.returncode == document.returncode == 4
    assert "default: '***'::text, and not none" in done.stdout
    assert "ALTER TABLE public.users ALTER COLUMN name DROP DEFAULT;" in done.stdout
    assert postgresql.PASSWORD not in done.stdout + document.stdout


def test_a_table_that_was_renamed_and_then_changed_keeps_its_rows(
    make_app: MakeApp, postgresql_url: str
) -> None:
    made = 'op.create_table("users", sa.Column("id", sa.Integer(), primary_key=True),'
    made += ' sa.Column("email", sa.String(50), unique=True), sa.Column("a", sa.Integer()))'
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=made)])
    invoke(ini, "upgrade")
    change(
        postgresql_url,
        "INSERT INTO users (email) VALUES ('me')",
        "ALTER TABLE users RENAME TO people",
        "ALTER TABLE people ALTER email TYPE text",
    )
    feed(postgresql_url, invoke(ini, "drift").stdout)
    assert rows(postgresql_url, "SELECT email FROM users") == [("me",)]
    assert invoke(ini, "drift").returncode == 0


def test_a_script_of_which_one_statement_fails_drops_nothing(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """A table that doesn't look as the one that is missing has taken the names of its parts."""
    ini = make_app(postgresql_url, LINE)
    invoke(ini, "upgrade")
    change(
        postgresql_url,
        "INSERT INTO b DEFAULT VALUES",
        "ALTER TABLE b RENAME TO mine",
        "ALTER TABLE mine ADD x int, ADD y int",
    )
    script = invoke(ini, "drift").stdout
    assert "DROP TABLE public.mine;\n" in script
    command = [psql(), postgresql_url, "--no-psqlrc"]  # which goes on after an error
    done = subprocess.run(command, input=script, capture_output=True, check=True, encoding="utf-8")
    assert done.stdout.splitlines()[-1] == "ROLLBACK"
    assert rows(postgresql_url, "SELECT id FROM mine") == [(1,)]


def test_a_value_of_an_enum_can_be_used_in_the_rest_of_the_script(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """No transaction can use a value that it adds."""
    made = "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (x int, m mood DEFAULT 'b')"
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=f"op.execute({made!r})")])
    invoke(ini, "upgrade")
    change(
        postgresql_url,
        "DROP TABLE t",
        "DROP TYPE mood",
        "CREATE TYPE mood AS ENUM ('a')",
    )
    script = invoke(ini, "drift").stdout
    assert script.index("ADD VALUE 'b'") < script.index("BEGIN;") < script.index("CREATE TABLE")
    feed(postgresql_url, script)
    assert invoke(ini, "drift").returncode == 0


def test_a_column_that_was_renamed_is_clean_after_the_script(
    make_app: MakeApp, database_url: str
) -> None:
    """It is the last one then, which no statement changes."""
    made = 'op.create_table("t", sa.Column("email", sa.Text()), sa.Column("x", sa.Integer()))'
    ini = make_app(database_url, [Revision("aaa111", upgrade=made)])
    invoke(ini, "upgrade")
    change(database_url, "ALTER TABLE t RENAME COLUMN email TO mail")
    feed(database_url, invoke(ini, "drift").stdout)
    result = invoke(ini, "drift")
    assert (result.returncode, result.stdout[:9]) == (0, "-- No dri")


def test_of_long_definitions_the_part_that_differs_is_shown(
    make_app: MakeApp, postgresql_url: str
) -> None:
    made = "CREATE TABLE people (email text, name text);"
    made += " CREATE UNIQUE INDEX ix_people_email ON people (email)"
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=f"op.execute({made!r})")])
    invoke(ini, "upgrade")
    change(
        postgresql_url,
        "DROP INDEX ix_people_email",
        "CREATE UNIQUE INDEX ix_people_email ON people (name, email)",
    )
    assert (
        "--   definition: ...public.people USING btree (name, email), and not"
        " ...public.people USING btree (email)\n"
    ) in invoke(ini, "drift").stdout


@pytest.mark.parametrize(
    ("found", "expected", "shown"),
    [
        ("short", None, ("short", "none")),
        ("a\n b", "a c", ("a b", "a c")),
        ("x" * 70, None, ("x" * 60 + "...", "none")),
        ("x" * 70, "y", ("x" * 60 + "...", "y")),
        ("x" * 70, "x" * 69, ("..." + "x" * 31, "..." + "x" * 30)),
        ("lower(" + "x" * 60, "lower(y)", ("lower(" + "x" * 54 + "...", "lower(y)")),
        (
            "a " * 40 + "one" + " z" * 40,
            "a " * 40 + "two",
            ("..." + "a " * 14 + "one" + " z" * 14 + "...", "..." + "a " * 14 + "two"),
        ),
    ],
)
def test_a_long_fact_is_cut_where_nothing_differs(
    found: str, expected: str | None, shown: tuple[str, str]
) -> None:
    assert both_shown(found, expected) == shown


def test_what_differs_in_blanks_only_is_shown_with_them() -> None:
    assert both_shown("a\n b", "a b") == ("'a\\n b'", "'a b'")


def test_a_subscription_is_dropped_outside_of_the_transaction(
    ini: Path, postgresql_url: str
) -> None:
    """One with a slot can't be dropped in it."""
    change(
        postgresql_url,
        "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p"
        " WITH (connect = false, enabled = false, slot_name = NONE)",
        "CREATE INDEX by_hand ON a (id)",
    )
    script = invoke(ini, "drift").stdout
    feed(postgresql_url, script)
    assert script.index("DROP SUBSCRIPTION s;") < script.index("BEGIN;")
    assert invoke(ini, "drift").returncode == 0

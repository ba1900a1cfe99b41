"""Server defaults, compared by what they mean."""

from collections.abc import Callable

import pytest
from support.command import Result, invoke
from support.database import change, rows
from support.history import MakeApp
from support.models import ID, SETTING, MakeModels, table

Compare = Callable[..., Result]


@pytest.fixture
def compare(make_app: MakeApp, make_models: MakeModels) -> Compare:
    """Check models against a database that statements have made."""

    def compare(url: str, model: str, *made: str) -> Result:
        app = make_app(url, [], {SETTING: make_models(model)})
        change(url, *made)
        return invoke(app, "check")

    return compare


#: A type, the default in the database, and one in the models that means the same.
SAME = {
    "sqlite": [
        ("TEXT", "'x'", "'x'"),
        ("TEXT", "''", "''"),
        ("TEXT", "'it''s'", '"it\'s"'),
        ("TEXT", "'50%'", "'50%'"),
        ("INTEGER", "0", "'0'"),
        ("INTEGER", "'0'", "text('0')"),
        ("INTEGER", "(1 + 1)", "text('2')"),
        ("BOOLEAN", "1", "true()"),
        ("BOOLEAN", "false", "false()"),
        ("DATETIME", "CURRENT_TIMESTAMP", "func.now()"),
        ("DATETIME", "(CURRENT_TIMESTAMP)", "text('CURRENT_TIMESTAMP')"),
        ("DATETIME", "(datetime('now'))", "text(\"(datetime('now'))\")"),
        ("TEXT", "(lower(hex(randomblob(16))))", "text('(lower(hex(randomblob(16))))')"),
    ],
    "postgresql": [
        ("TEXT", "'x'", "'x'"),
        ("VARCHAR(9)", "'x'", "'x'"),
        ("TEXT", "''", "''"),
        ("TEXT", "'it''s'", '"it\'s"'),
        ("TEXT", "'50%'", "'50%'"),
        ("TEXT", "'a :b'", "'a :b'"),
        ("INTEGER", "0", "'0'"),
        ("NUMERIC(5, 2)", "1.50", "'1.50'"),
        ("BOOLEAN", "true", "true()"),
        ("BOOLEAN", "false", "'f'"),
        ("TIMESTAMP", "now()", "func.now()"),
        ("TIMESTAMP", "CURRENT_TIMESTAMP", "text('CURRENT_TIMESTAMP')"),
        ("TIMESTAMP", "(now() AT TIME ZONE 'utc')", "text(\"now() AT TIME ZONE 'utc'\")"),
        ("TIMESTAMP", "clock_timestamp()", "func.clock_timestamp()"),
        ("UUID", "gen_random_uuid()", "text('gen_random_uuid()')"),
        ("JSON", "'{}'", "'{}'"),
        ("JSONB", "'{\"a\": 1}'", "'{\"a\":1}'"),
        ("INTEGER[]", "'{}'", 'text("ARRAY[]::integer[]")'),
        ("INTEGER", "nextval('numbers')", "Sequence('numbers').next_value()"),
    ],
}
TYPES = {"TIMESTAMP": "DateTime", "BOOLEAN": "Boolean", "DATETIME": "DateTime"}


def column(number: int, type_: str, default: str) -> str:
    name = type_.removesuffix("[]")
    known = TYPES.get(name, name)
    known = f"ARRAY({known})" if type_.endswith("[]") else known
    if known == "JSONB":
        known = "postgresql.JSONB"
    return f"Column('c{number}', {known}, server_default={default})"


@pytest.mark.parametrize("kind", SAME)
def test_what_means_the_same_agrees(
    kind: str, compare: Compare, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    key = "SERIAL" if kind == "postgresql" else "INTEGER NOT NULL"
    made = ", ".join(f"c{n} {type_} DEFAULT {sql}" for n, (type_, sql, _) in enumerate(SAME[kind]))
    before = ["CREATE SEQUENCE numbers"] if kind == "postgresql" else []
    columns = (column(n, type_, default) for n, (type_, _, default) in enumerate(SAME[kind]))

    sql = f"CREATE TABLE a (id {key} PRIMARY KEY, {made})"
    if before:
        sql = sql.replace("%", "%%")
    done = compare(url, table(ID, *columns), *before, sql)

    assert done.stderr == ""
    assert done.returncode == 0
    if before:  # no default was evaluated
        assert rows(url, "SELECT nextval('numbers')") == [(1,)]


#: The same, but it means something else.
OTHERS = {
    "sqlite": [
        ("TEXT", "'x'", "'y'"),
        ("INTEGER", "0", "'1'"),
        ("DATETIME", "CURRENT_TIMESTAMP", "text('CURRENT_DATE')"),
        ("DATETIME", "'2020-01-01'", "'2020-05-05'"),
        ("TEXT", "'x'", "None"),
    ],
    "postgresql": [
        ("TEXT", "'x'", "'y'"),
        ("INTEGER", "0", "'1'"),
        ("TIMESTAMP", "now()", "text('clock_timestamp()')"),
        ("INTEGER", "0", "'no number'"),
        ("INTEGER", "nextval('numbers')", "None"),
        ("JSON", "'{}'", "'[]'"),
    ],
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_means_something_else_differs(
    kind: str, compare: Compare, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    key = "SERIAL" if kind == "postgresql" else "INTEGER NOT NULL"
    cases = OTHERS[kind]
    made = ", ".join(f"c{n} {type_} DEFAULT {sql}" for n, (type_, sql, _) in enumerate(cases))
    before = ["CREATE SEQUENCE numbers"] if kind == "postgresql" else []
    columns = (column(n, type_, default) for n, (type_, _, default) in enumerate(cases))

    sql = f"CREATE TABLE a (id {key} PRIMARY KEY, made INTEGER, {made})"
    made_later = "Column('made', Integer, server_default='7')"
    done = compare(url, table(ID, made_later, *columns), *before, sql)

    assert done.returncode == 4
    changed = {f"a.{name}" for name in ["made", *(f"c{n}" for n in range(len(cases)))]}
    assert {line.split()[3].rstrip(":") for line in done.stderr.splitlines()[1:-1]} == changed


def test_what_is_written_is_then_the_same(
    make_app: MakeApp, make_models: MakeModels, database_url: str
) -> None:
    columns = ("Column('c', String(9), server_default=\"it's\")", ID)
    app = make_app(database_url, [], {SETTING: make_models(table(*columns))})
    key = "SERIAL" if database_url.startswith("postgresql") else "INTEGER NOT NULL"
    change(database_url, f"CREATE TABLE a (id {key} PRIMARY KEY, c VARCHAR(9) DEFAULT 'x')")

    written = invoke(app, "revision", "--autogenerate", "-m", "x")
    assert written.returncode == 0, written.stderr
    assert invoke(app, "upgrade").returncode == 0

    assert invoke(app, "check").stderr == ""


def test_the_ini_file_turns_it_off(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str
) -> None:
    models = make_models(table(ID, "Column('c', Text, server_default='x')"))
    settings = {SETTING: models, "alembic.compare_server_default": "false"}
    app = make_app(sqlite_url, [], settings)
    change(sqlite_url, "CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY, c TEXT)")

    assert invoke(app, "check").returncode == 0

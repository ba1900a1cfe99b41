"""An env.py that opens several databases or schemas: each is told of by its name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.command import Result, invoke
from support.database import change, heads
from support.history import MakeApp, Revision, create_table
from support.pool import Pool
from support.tenants import (
    app_of_several,
    databases_env,
    schemas_env,
    together_env,
    with_driver,
)

LINE = [
    Revision("r1", None, "make t", upgrade="op.execute('CREATE TABLE t (i int)')"),
    Revision("r2", "r1", "index t", upgrade="op.execute('CREATE UNIQUE INDEX u ON t (i)')"),
]


@pytest.fixture
def urls(tmp_path: Path) -> list[str]:
    """Two SQLite files that don't exist yet."""
    return [f"sqlite:///{tmp_path / name}.sqlite" for name in ("one", "two")]


@pytest.fixture
def ini(make_app: MakeApp, urls: list[str]) -> Path:
    """An application of two databases, both of them new."""
    return app_of_several(make_app, databases_env(urls), LINE)


@pytest.fixture
def behind(ini: Path, urls: list[str]) -> Path:
    """The same, with the second database one revision behind the first."""
    assert invoke(ini, "upgrade").returncode == 0
    change(urls[1], "DROP INDEX u", "UPDATE alembic_version SET version_num = 'r1'")
    return ini


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def test_an_upgrade_tells_of_each_database(ini: Path, urls: list[str]) -> None:
    done = invoke(ini, "upgrade")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Upgraded 4 revisions in ")
    assert lines[1:] == [f"  {url} is at r2 (index t)." for url in urls]
    progress = [line.rpartition("  ")[0] for line in done.stderr.splitlines()]
    assert progress == [
        f"[{number}/2] r{number} {text} in {url}"
        for url in urls
        for number, text in ((1, "make t"), (2, "index t"))
    ]
    assert invoke(ini, "upgrade").stdout.splitlines() == ["Nothing to do.", *lines[1:]]


def test_the_document_of_an_upgrade_names_the_database_of_each_step(
    ini: Path, urls: list[str]
) -> None:
    found = document(invoke(ini, "upgrade", "--json"))
    assert [(step["revision"], step["database"], step["schema"]) for step in found["steps"]] == [
        (revision, url, None) for url in urls for revision in ("r1", "r2")
    ]
    assert found["databases"] == [
        {"database": url, "schema": None, "rows": ["r2"], "current": ["r2"], "pending": []}
        for url in urls
    ]
    assert (found["before"], found["after"]) == ([], ["r2"])


def test_current_shows_the_database_that_is_behind(behind: Path, urls: list[str]) -> None:
    assert invoke(behind, "current").stdout.splitlines() == [
        f"{urls[0]}: r2 (head), index t",
        f"{urls[1]}: r1, make t (1 revision pending)",
    ]
    long = invoke(behind, "current", "-v").stdout
    assert [line for line in long.splitlines() if "for" in line or "pending" in line] == [
        *(f"Current revision(s) for {url}:" for url in urls),
        "1 revision pending.",
    ]
    found = document(invoke(behind, "current", "--json"))
    assert (found["database"], found["at_head"], found["pending"]) == (None, False, ["r2"])
    assert [(each["database"], each["rows"], each["pending"]) for each in found["databases"]] == [
        (urls[0], ["r2"], []),
        (urls[1], ["r1"], ["r2"]),
    ]


@pytest.mark.parametrize("command", ["current --check-heads", "wait --timeout 0", "check"])
def test_a_database_that_is_behind_is_named(
    command: str, behind: Path, urls: list[str], tmp_path: Path
) -> None:
    result = invoke(behind, *command.split())
    assert result.returncode == 3
    assert result.stderr.splitlines()[:2] == [
        "Error: 1 revision pending: 1 of 2 databases is behind.",
        f"         {urls[1]}: r1 (make t).",
    ]
    error = document(invoke(behind, *command.split(), "--json"))["error"]
    assert [each["pending"] for each in error["databases"]] == [[], ["r2"]]


def test_wait_ends_once_all_databases_are_there(behind: Path, urls: list[str]) -> None:
    assert invoke(behind, "upgrade").returncode == 0
    done = invoke(behind, "wait", "--timeout", "0")
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [f"{url}: r2 (head), index t" for url in urls],
    )


def test_a_revision_that_one_database_lacks_is_pending_in_the_history(
    behind: Path, urls: list[str]
) -> None:
    assert [line.split()[0] for line in invoke(behind, "history").stdout.splitlines()] == [
        "pending",
        "current",
    ]
    found = document(invoke(behind, "history", "--json"))
    assert [each["database"] for each in found["databases"]] == urls


def test_a_database_that_is_ahead_is_named(behind: Path, urls: list[str]) -> None:
    change(urls[1], "UPDATE alembic_version SET version_num = 'r9'")
    for command in ("current", "upgrade", "wait", "stamp r2", "history -i"):
        result = invoke(behind, *command.split())
        assert result.returncode == 7
        assert result.stderr.splitlines()[1].strip() == f"That is {urls[1]}."
        error = document(invoke(behind, *command.split(), "--json"))["error"]
        assert (error["unknown"], error["database"]) == (["r9"], urls[1])


def test_a_database_that_is_ahead_stops_the_run_before_another_is_migrated(
    ini: Path, urls: list[str]
) -> None:
    change(
        urls[1],
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('r9')",
    )
    assert invoke(ini, "upgrade").returncode == 7
    assert not Path(str(sa.make_url(urls[0]).database)).exists()


def test_one_ahead_may_be_accepted_and_the_others_are_migrated(
    behind: Path, urls: list[str]
) -> None:
    change(urls[0], "UPDATE alembic_version SET version_num = 'r9'")
    waited = invoke(behind, "wait", "--timeout", "0", "--allow-ahead")
    assert waited.returncode == 3
    assert f"{urls[1]}: r1 (make t)." in waited.stderr
    assert invoke(behind, "upgrade", "--allow-ahead").returncode == 0
    assert (heads(urls[0]), heads(urls[1])) == ({"r9"}, {"r2"})
    assert invoke(behind, "wait", "--timeout", "0", "--allow-ahead").returncode == 0


def test_a_failure_is_judged_by_the_rows_of_its_own_database(behind: Path, urls: list[str]) -> None:
    change(urls[1], "INSERT INTO t VALUES (1), (1)")
    failed = invoke(behind, "upgrade")
    assert failed.returncode == 1
    assert failed.stderr.startswith(
        f"Error: Revision r2 (index t) in {urls[1]} failed and was rolled back: "
    )
    assert [line.strip() for line in failed.stderr.splitlines()][1:4] == [
        "The databases stand here:",
        f"{urls[0]}: r2 (index t).",
        f"{urls[1]}: r1 (make t).",
    ]
    error = document(invoke(behind, "upgrade", "--json"))["error"]
    assert (error["code"], error["database"], error["rows"]) == (
        "migration_failed",
        urls[1],
        ["r1"],
    )
    assert (error["done"], error["not_recorded"], error["not_begun"]) == ([], [], [])
    assert [each["rows"] for each in error["databases"]] == [["r2"], ["r1"]]


@pytest.mark.parametrize("each", [True, False])
def test_how_far_each_database_came_is_told(
    each: bool, make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    env = schemas_env(postgresql_url, ["one", "two"], transaction_per_migration=each)
    schema = "op.get_bind().exec_driver_sql('SELECT current_schema()').scalar()"
    fails_there = Revision("r3", "r2", upgrade=f"if {schema} == 'two': 1 / 0")
    ini = app_of_several(make_app, env, [*LINE, fails_there, Revision("r4", "r3")])
    error = document(invoke(ini, "upgrade", "--json"))["error"]
    first, second = ["r1", "r2", "r3", "r4"], ["r1", "r2"] if each else []
    assert [status["rows"] for status in error["databases"]] == [["r4"], second[1:]]
    assert (error["schema"], error["rows"]) == ("two", second[1:])
    assert error["done"] == first + second
    assert error["not_recorded"] == ([] if each else ["r1", "r2"])
    assert error["not_begun"] == ["r4"]


def test_a_downgrade_that_fails_in_the_second_database_is_told_as_rolled_back(
    make_app: MakeApp, urls: list[str]
) -> None:
    down = "if 'two' in op.get_bind().engine.url.database: 1 / 0"
    ini = app_of_several(make_app, databases_env(urls), [Revision("r1", downgrade=down)])
    invoke(ini, "upgrade")
    failed = invoke(ini, "downgrade", "base")
    assert (failed.returncode, heads(urls[0]), heads(urls[1])) == (1, set(), {"r1"})
    assert f"Revision r1 (a change) in {urls[1]} failed and was rolled back" in failed.stderr


def test_a_stamp_tells_of_each_database(ini: Path, urls: list[str]) -> None:
    assert invoke(ini, "stamp", "r1").stdout.splitlines() == [
        "Stamped:",
        *(f"  {url} from base (no revision) to r1 (make t)." for url in urls),
    ]
    found = document(invoke(ini, "stamp", "r2", "--json"))
    assert [(each["database"], each["rows"]) for each in found["databases"]] == [
        (url, ["r2"]) for url in urls
    ]


def test_a_start_that_differs_from_database_to_database_is_none(
    behind: Path, urls: list[str]
) -> None:
    result = invoke(behind, "upgrade", "current:heads", "--sql")
    assert result.returncode == 2
    assert "`current` is no start for one script." in result.stderr
    assert f"{urls[1]}: r1 (make t)." in result.stderr


# Each with its own transaction, or all with one


@pytest.fixture
def servers(postgresql_pool: Pool) -> Iterator[list[str]]:
    """Two PostgreSQL databases."""
    with postgresql_pool.database() as one, postgresql_pool.database() as two:
        yield [one, two]


@pytest.mark.parametrize("shape", ["each revision", "each database", "together"])
def test_a_failure_in_the_second_database_is_proven_to_be_rolled_back(
    shape: str, make_app: MakeApp, servers: list[str]
) -> None:
    env = databases_env(servers, transaction_per_migration=shape == "each revision")
    env = together_env(servers) if shape == "together" else env
    ini = app_of_several(make_app, env, LINE)
    change(servers[1], "CREATE TABLE u (i int)")
    failed = invoke(ini, "upgrade")
    name = sa.make_url(with_driver(servers[1])).set(query={}).render_as_string()
    assert failed.returncode == 1, failed.stderr
    assert f"Revision r2 (index t) in {name} failed and was rolled back:" in failed.stderr
    undone = {"each revision": 0, "each database": 1, "together": 3}[shape]
    assert f"{undone} revision" in failed.stderr or not undone


@pytest.mark.parametrize("each", [True, False])
def test_a_failure_in_the_second_schema_is_proven_to_be_rolled_back(
    each: bool, make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE SCHEMA one", "CREATE SCHEMA two", "CREATE TABLE two.u (i int)")
    env = schemas_env(postgresql_url, ["one", "two"], transaction_per_migration=each)
    failed = invoke(app_of_several(make_app, env, LINE), "upgrade")
    assert failed.returncode == 1, failed.stderr
    assert "schema two failed and was rolled back:" in failed.stderr


GOES_ON = """\
from alembic import context
from sqlalchemy import create_engine

failed = []
for url in {urls!r}:
    with create_engine(url).connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True)
        try:
            with context.begin_transaction():
                context.run_migrations()
        except Exception:
            failed.append(url)
if failed and {raises}:
    raise RuntimeError("not all")
"""


@pytest.mark.parametrize("raises", [True, False])
def test_a_failure_is_not_hidden_by_an_env_py_that_goes_on_with_the_others(
    raises: bool, make_app: MakeApp, urls: list[str], tmp_path: Path
) -> None:
    urls.append(f"sqlite:///{tmp_path / 'three'}.sqlite")
    ini = app_of_several(make_app, GOES_ON.format(urls=urls, raises=raises), LINE)
    change(urls[1], "CREATE TABLE u (i int)")
    result = invoke(ini, "upgrade", "--json")
    error = document(result)["error"]
    assert [each["rows"] for each in error["databases"]] == [["r2"], ["r1"], ["r2"]]
    assert (error["revision"], error["database"], error["rows"]) == ("r2", urls[1], ["r1"])
    assert (error["done"], error["not_begun"]) == (["r1", "r2", "r1", "r1", "r2"], [])
    said = (
        f"Revision r2 (index t) in {urls[1]} failed" if raises else "env.py reported success, but"
    )
    assert error["message"].startswith(said)
    assert result.returncode != 0


# Schemas of one database


@pytest.fixture
def tenants(make_app: MakeApp, postgresql_url: str) -> Path:
    """An application with a schema for each of two tenants."""
    change(postgresql_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    return app_of_several(make_app, schemas_env(postgresql_url, ["one", "two"]), LINE)


def test_each_schema_is_told_of_by_its_name(tenants: Path, postgresql_url: str) -> None:
    name = sa.make_url(with_driver(postgresql_url)).set(query={}).render_as_string()
    assert invoke(tenants, "upgrade", "r1").returncode == 0
    change(postgresql_url, "INSERT INTO two.t VALUES (1), (1)")
    failed = invoke(tenants, "upgrade")
    assert failed.returncode == 1
    assert failed.stderr.startswith("[1/1] r2 index t in ")
    assert f"Revision r2 (index t) in {name}, schema two failed and was rolled" in failed.stderr
    assert invoke(tenants, "current").stdout.splitlines() == [
        f"{name}, schema one: r2 (head), index t",
        f"{name}, schema two: r1, make t (1 revision pending)",
    ]
    found = document(invoke(tenants, "current", "--json"))
    assert [(each["schema"], each["rows"]) for each in found["databases"]] == [
        ("one", ["r2"]),
        ("two", ["r1"]),
    ]


def test_a_plan_belongs_to_its_schema_in_whatever_order_they_come(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """A run of two tries: env.py turns the order round, and `+1` is one revision for each."""
    change(postgresql_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    order = "sorted(['one', 'two'], reverse=context.config.attributes.setdefault('n', []).append(1)"
    env = schemas_env(postgresql_url, f"{order} or len(context.config.attributes['n']) == 3)")
    busy = (
        "if op.get_context().config.attributes['n'] == [1, 1]:\n"
        "    if op.get_bind().exec_driver_sql('SELECT current_schema()').scalar() == 'two':\n"
        '        op.execute("SET LOCAL lock_timeout = 1")\n'
        "        op.execute(\"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '55P03'; END $$\")\n"
    )
    ini = app_of_several(make_app, env, [Revision("r1", upgrade=busy), Revision("r2", "r1")])
    done = invoke(ini, "upgrade", "+1")
    assert done.returncode == 0, done.stderr
    assert "; try 2 in " in done.stderr
    for schema in ("one", "two"):
        assert heads(postgresql_url, f"{schema}.alembic_version") == {"r1"}


@pytest.mark.parametrize("table", ["alembic_version", "other_version"])
def test_two_version_tables_of_one_schema_are_two_and_one_is_one(
    table: str, make_app: MakeApp, sqlite_url: str
) -> None:
    env = (
        "from alembic import context\n"
        "from sqlalchemy import create_engine\n"
        f"with create_engine({sqlite_url!r}).connect() as connection:\n"
        f"    for table in ('alembic_version', {table!r}):\n"
        "        context.configure(connection=connection, version_table=table)\n"
        "        context.run_migrations()\n"
    )
    ini = app_of_several(make_app, env, [Revision("r1")])
    shown = [f"{sqlite_url}, table {name}: base" for name in ("alembic_version", table)]
    lines = invoke(ini, "current").stdout.splitlines()
    assert [line.partition(" (")[0] for line in lines] == (
        ["base"] if table == "alembic_version" else shown
    )


# What env.py opens is not what the .ini file says


def test_the_name_is_that_of_the_database_that_env_py_opens(
    make_app: MakeApp, urls: list[str]
) -> None:
    ini = app_of_several(make_app, databases_env(urls[:1]), [Revision("r1", **create_table("t"))])
    assert document(invoke(ini, "current", "--json"))["database"] == urls[0]
    assert f"for {urls[0]}:" in invoke(ini, "current", "-v").stdout


def test_a_difference_is_told_with_its_database(ini: Path, urls: list[str], tmp_path: Path) -> None:
    env = ini.parent / "migrations" / "env.py"
    models = "import sqlalchemy as sa\nmodels = sa.MetaData()\nsa.Table('m', models)\n"
    configured = "context.configure(target_metadata=models, "
    env.write_text(models + env.read_text().replace("context.configure(", configured))
    assert invoke(ini, "upgrade").returncode == 0
    change(urls[0], "CREATE TABLE m (i int)", "DROP TABLE t")
    result = invoke(ini, "check", "--json")
    assert result.returncode == 4
    assert document(result)["error"]["differences"] == [
        f"{urls[0]}: remove column m.i",
        f"{urls[1]}: add table m",
        f"{urls[1]}: remove table t",
        f"{urls[1]}: remove index u on t (i)",
    ]


def test_the_missing_file_is_the_one_that_env_py_opens(
    make_app: MakeApp, tmp_path: Path, urls: list[str]
) -> None:
    ini = app_of_several(make_app, databases_env(urls), [])
    result = invoke(ini, "check")
    assert result.returncode == 6
    path = tmp_path / "one.sqlite"
    assert result.stderr.startswith(f"Error: The database file {path} does not exist, so there")

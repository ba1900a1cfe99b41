"""`--sql`: scripts that bring a database to a revision by themselves."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.command import Result, invoke
from support.database import change, feed, heads, rows, tables
from support.history import MakeApp, Revision, create_table
from support.ini import MakeIni

from myapp.migrator.base.errors import (
    BadRevision,
    DatabaseAhead,
    DatabaseUnreachable,
    MigrationFailed,
    MultipleHeads,
    UsageError,
)
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.commands.offline import (
    downgrade_sql,
    ensure_version_sql,
    stamp_sql,
    upgrade_sql,
)
from myapp.migrator.config import run_context

INSERT = """
op.create_table("b", sa.Column("name", sa.String(50)), sa.Column("number", sa.Integer))
op.bulk_insert(sa.table("b", sa.column("name", sa.String), sa.column("number", sa.Integer)),
    [{"name": "it's; a \\"test\\" %s :x", "number": 1}])
"""
LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", upgrade=INSERT, downgrade="op.drop_table('b')"),
    Revision("ccc333", "bbb222", message="add c", **create_table("c")),
]
BRANCHES = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", branch_labels="left", **create_table("b")),
    Revision("ccc333", "aaa111", branch_labels="right", **create_table("c")),
    Revision("ddd444", branch_labels="other", depends_on="left", **create_table("d")),
]
LOST = {
    "sqlite": "sqlite:////no/such/folder/lost.sqlite",
    "postgresql": "postgresql://nobody@127.0.0.1:1/lost",
}


@pytest.fixture
def lost_url(database_url: str) -> str:
    """The URL of a database of the same kind that can't be reached."""
    return LOST[database_url.partition(":")[0]]


@pytest.mark.parametrize("graph", [LINE, BRANCHES])
def test_the_sql_alone_brings_a_database_to_its_heads(
    make_app: MakeApp, database_url: str, lost_url: str, graph: list[Revision]
) -> None:
    script = upgrade_sql(run_context(make_app(lost_url, graph)), "heads")

    feed(database_url, script)

    expected = {"ccc333"} if graph is LINE else {"ccc333", "ddd444"}
    assert heads(database_url) == expected
    assert tables(database_url) - {"alembic_version"} == (
        {"a", "b", "c"} if graph is LINE else {"a", "b", "c", "d"}
    )


def test_the_sql_of_this_projects_migrations_brings_a_database_to_its_head(
    make_ini: MakeIni, database_url: str, lost_url: str
) -> None:
    ini = make_ini({"sqlalchemy.url": lost_url, "alembic.script_location": "myapp:migrations"})
    script = upgrade_sql(run_context(ini), "head")

    feed(database_url, script)

    assert tables(database_url) == {"users", "alembic_version"}
    assert ("CREATE UNIQUE INDEX CONCURRENTLY" in script) == ("postgresql" in database_url)


def test_data_arrives_as_it_is(make_app: MakeApp, database_url: str, lost_url: str) -> None:
    feed(database_url, upgrade_sql(run_context(make_app(lost_url, LINE)), "heads"))

    assert rows(database_url, "SELECT name, number FROM b") == [('it\'s; a "test" %s :x', 1)]


def test_each_revision_has_a_transaction_of_its_own(make_app: MakeApp, lost_url: str) -> None:
    script = upgrade_sql(run_context(make_app(lost_url, LINE)), "heads")

    lines = [line for line in script.splitlines() if line in ("BEGIN;", "COMMIT;") or "--" in line]
    assert lines == [
        "BEGIN;",
        "-- Running upgrade  -> aaa111",
        "COMMIT;",
        "BEGIN;",
        "-- Running upgrade aaa111 -> bbb222",
        "COMMIT;",
        "BEGIN;",
        "-- Running upgrade bbb222 -> ccc333",
        "COMMIT;",
    ]


def test_a_script_that_fails_half_way_leaves_the_database_at_a_revision(
    make_app: MakeApp, database_url: str
) -> None:
    script = upgrade_sql(run_context(make_app(database_url, LINE)), "heads")

    with pytest.raises(RuntimeError):
        feed(database_url, script.replace("CREATE TABLE c", "CREATE TABLE c; nonsense"))

    assert heads(database_url) == {"bbb222"}
    assert tables(database_url) == {"a", "b", "alembic_version"}


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("aaa111:head", ["aaa111 -> bbb222", "bbb222 -> ccc333"]),
        ("aaa1:bbb2", ["aaa111 -> bbb222"]),
        ("bbb222:+1", ["bbb222 -> ccc333"]),
        ("base:aaa111", [" -> aaa111"]),
        (":aaa111", [" -> aaa111"]),
        ("+1", [" -> aaa111"]),
        ("head:head", []),
    ],
)
def test_an_upgrade_starts_where_it_is_told(
    make_app: MakeApp, lost_url: str, target: str, runs: list[str]
) -> None:
    script = upgrade_sql(run_context(make_app(lost_url, LINE)), target)

    told = [line for line in script.splitlines() if line.startswith("--")]
    assert told == [f"-- Running upgrade {run}" for run in runs]
    assert ("CREATE TABLE alembic_version" in script) == (runs[:1] == [" -> aaa111"])


def test_an_upgrade_starts_at_the_database_when_asked(make_app: MakeApp, database_url: str) -> None:
    config = run_context(make_app(database_url, LINE))
    upgrade(config, "aaa111")

    script = upgrade_sql(config, "current:head")
    feed(database_url, script)

    assert heads(database_url) == {"ccc333"}
    assert "aaa111 -> bbb222" in script
    assert " -> aaa111" not in script


def test_a_database_that_does_not_exist_is_at_base_and_stays_missing(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    config = run_context(make_app(sqlite_url, LINE))

    script = upgrade_sql(config, "current:head")

    assert script == upgrade_sql(config, "head")
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize("target", ["head:base", "head:-3", "current:base"])
def test_the_sql_of_a_downgrade_brings_a_database_back(
    make_app: MakeApp, database_url: str, target: str
) -> None:
    config = run_context(make_app(database_url, LINE))
    upgrade(config)

    feed(database_url, downgrade_sql(config, target))

    assert tables(database_url) <= {"alembic_version"}


def test_a_downgrade_without_a_start_is_refused(make_app: MakeApp, sqlite_url: str) -> None:
    with pytest.raises(UsageError) as raised:
        downgrade_sql(run_context(make_app(sqlite_url, LINE)), "-1")

    assert raised.value.message == (
        "`downgrade --sql` needs a start: it does not look at the database."
    )
    assert raised.value.hint == "write `downgrade FROM:-1 --sql`; FROM may be `current`."


@pytest.mark.parametrize(
    ("revisions", "expected"),
    [
        (["heads"], {"ccc333", "ddd444"}),
        (["right@head"], {"ccc333"}),
        (["bbb222", "ccc333"], {"bbb222", "ccc333"}),
    ],
)
def test_the_sql_of_a_stamp_writes_the_version_table(
    make_app: MakeApp,
    database_url: str,
    lost_url: str,
    revisions: list[str],
    expected: set[str],
) -> None:
    script = stamp_sql(run_context(make_app(lost_url, BRANCHES)), revisions)

    feed(database_url, script)

    assert tables(database_url) == {"alembic_version"}
    assert heads(database_url) == expected


def test_the_sql_of_a_stamp_starts_where_it_is_told(make_app: MakeApp, database_url: str) -> None:
    config = run_context(make_app(database_url, LINE))
    upgrade(config, "aaa111")

    feed(database_url, stamp_sql(config, ["aaa111:ccc333"]))

    assert heads(database_url) == {"ccc333"}


def test_the_sql_of_ensure_version_makes_an_empty_version_table(
    make_app: MakeApp, database_url: str, lost_url: str
) -> None:
    feed(database_url, ensure_version_sql(run_context(make_app(lost_url, LINE))))

    assert tables(database_url) == {"alembic_version"}
    assert heads(database_url) == set()


@pytest.mark.parametrize("write", [upgrade_sql, downgrade_sql])
def test_an_unknown_start_or_end_is_told(make_app: MakeApp, lost_url: str, write: Any) -> None:
    config = run_context(make_app(lost_url, LINE))

    for target in ("nope:aaa111", "aaa111:nope"):
        with pytest.raises(BadRevision, match="There is no revision `nope`"):
            write(config, target)


def test_a_script_begins_at_all_rows_of_the_database(make_app: MakeApp, database_url: str) -> None:
    config = run_context(make_app(database_url, BRANCHES))
    upgrade(config, "left@head")
    upgrade(config, "right@head")
    assert heads(database_url) == {"bbb222", "ccc333"}

    feed(database_url, upgrade_sql(config, "current:heads"))
    assert heads(database_url) == {"ddd444", "ccc333"}

    feed(database_url, downgrade_sql(config, "current:aaa111"))
    assert heads(database_url) == {"aaa111"}

    feed(database_url, stamp_sql(config, ["current:heads"]))
    assert heads(database_url) == {"ddd444", "ccc333"}

    feed(database_url, stamp_sql(config, ["current:base"]))
    assert heads(database_url) == set()


def test_several_heads_where_a_script_needs_one_are_told(make_app: MakeApp, lost_url: str) -> None:
    with pytest.raises(MultipleHeads, match="`upgrade` can't choose one"):
        upgrade_sql(run_context(make_app(lost_url, BRANCHES)), "head")


def test_a_stamp_begins_at_one_start(make_app: MakeApp, lost_url: str) -> None:
    with pytest.raises(UsageError) as raised:
        stamp_sql(run_context(make_app(lost_url, BRANCHES)), ["aaa111:left", "base:right"])
    assert raised.value.message == (
        "Stamp operation with --sql only supports a single starting revision at a time, and these"
        " are several: `aaa111:left`, `base:right`."
    )
    assert raised.value.hint == "write the same start before each, or a script for each."


def test_a_database_that_the_code_does_not_know_has_no_way_on(
    make_app: MakeApp, sqlite_url: str
) -> None:
    config = run_context(make_app(sqlite_url, LINE))
    upgrade(config)
    change(sqlite_url, "UPDATE alembic_version SET version_num = 'fff999'")

    with pytest.raises(DatabaseAhead):
        upgrade_sql(config, "current:head")


def test_only_a_start_at_current_needs_the_database(make_app: MakeApp) -> None:
    config = run_context(make_app(LOST["postgresql"], LINE))

    assert upgrade_sql(config, "aaa111:head")
    with pytest.raises(DatabaseUnreachable):
        upgrade_sql(config, "current:head")


def test_a_revision_that_asks_the_database_is_named_after_what_was_written(
    make_app: MakeApp, lost_url: str, tmp_path: Path
) -> None:
    asks = "op.get_bind().execute(sa.text('SELECT 1')).scalar()"
    app = make_app(lost_url, [LINE[0], Revision("bbb222", "aaa111", message="ask", upgrade=asks)])

    with pytest.raises(MigrationFailed) as raised:
        upgrade_sql(run_context(app), "heads")

    path = tmp_path / "migrations" / "versions" / "bbb222_.py"
    assert raised.value.message == (
        "Revision bbb222 (ask) can't be written as SQL: AttributeError: 'NoneType' object has no"
        " attribute 'scalar'."
    )
    assert raised.value.hint == (f"see {path} (line 13): with `--sql` there is no database to ask.")
    assert str(raised.value.sql).startswith("BEGIN;")
    assert "CREATE TABLE a (" in str(raised.value.sql)
    assert "Running upgrade aaa111 -> bbb222" in str(raised.value.sql)


def test_what_was_written_of_a_script_stands_on_standard_output_before_the_error(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [LINE[0], Revision("bbb222", "aaa111", upgrade="1 / 0")])
    result = invoke(ini, "upgrade", "--sql")
    assert result.returncode == 1
    assert result.stdout.startswith("BEGIN;")
    assert result.stdout.endswith("-- Running upgrade aaa111 -> bbb222\n\n")
    assert result.stderr.startswith("Error: Revision bbb222 (a change) can't be written as SQL:")

    document = json.loads(invoke(ini, "upgrade", "--sql", "--json").stdout)
    assert document["sql"] == result.stdout
    assert document["error"]["code"] == "migration_failed"


@pytest.mark.parametrize("typed", ["upgrade bbb222:aaa111", "downgrade aaa111:bbb222", "stamp x"])
def test_a_script_that_can_not_begin_writes_nothing(
    typed: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    result = invoke(ini, *typed.split(), "--sql")
    assert (result.returncode, result.stdout) == (2, "")
    assert "sql" not in json.loads(invoke(ini, *typed.split(), "--sql", "--json").stdout)


def test_the_sql_of_one_revision_is_that_of_no_other(make_app: MakeApp, lost_url: str) -> None:
    ini = make_app(
        lost_url,
        [
            Revision("aaaa1", **create_table("a")),
            Revision("bbbb1", "aaaa1", **create_table("b")),
            Revision("cccc1", "aaaa1", **create_table("c")),
            Revision("dddd1", **create_table("d")),
            Revision("eeee1", ("bbbb1", "cccc1"), depends_on="dddd1", **create_table("e")),
        ],
    )

    assert tables_in(invoke(ini, "show", "bbbb1", "--sql")) == {"b"}
    assert tables_in(invoke(ini, "show", "eeee1", "--sql")) == {"e"}
    assert tables_in(invoke(ini, "show", "dddd1", "--sql")) == {"alembic_version", "d"}
    assert tables_in(invoke(ini, "show", "heads", "--sql")) == {"e"}


def test_one_revision_that_asks_the_database_says_so(make_app: MakeApp, lost_url: str) -> None:
    asks = "op.get_bind().execute(sa.text('SELECT 1')).scalar()"
    ini = make_app(lost_url, [Revision("aaaa1"), Revision("bbbb1", "aaaa1", upgrade=asks)])

    done = invoke(ini, "show", "bbbb1", "--sql")

    assert done.returncode == 1
    assert "Error: Revision bbbb1 (a change) can't be written as SQL: " in done.stderr


def tables_in(done: Result) -> set[str]:
    assert done.returncode == 0, done.stderr
    return set(re.findall("CREATE TABLE (\\w+)", done.stdout))

"""`plan`: what a run would do, told without doing it."""

from pathlib import Path

import alembic
import pytest
from support.database import change, connection_to, heads, tables
from support.history import MakeApp, Revision, create_table, foreign_env
from support.refusal import files
from support.tenants import app_of_several, databases_env, schemas_env

from myapp.migrator.base.errors import (
    DatabaseUnreachable,
    EnvPyFailed,
    MultipleHeads,
    UsageError,
)
from myapp.migrator.base.plans import Plan, PlannedRevision, TableSize
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.commands.planning import plan
from myapp.migrator.config import run_context

LOST = "postgresql://nobody@127.0.0.1:1/lost"
INDEX = "op.create_index('i', 'a', ['id'])"
LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
    Revision("ccc333", "bbb222", "index a", INDEX, "op.drop_index('i', 'a')"),
]


def sql(planned: PlannedRevision) -> list[str]:
    return [" ".join(each.sql.split()) for each in planned.statements]


def ids(made: Plan) -> list[str]:
    return [each.revision.revision for each in made.revisions]


def test_each_pending_revision_is_told_and_nothing_is_changed(
    make_app: MakeApp, database_url: str
) -> None:
    app = make_app(database_url, LINE)
    upgrade(run_context(app), "aaa111")
    before = files(app.parent)

    made = plan(run_context(app))

    assert [(each.revision.revision, each.direction) for each in made.revisions] == [
        ("bbb222", "upgrade"),
        ("ccc333", "upgrade"),
    ]
    assert sql(made.revisions[1]) == ["CREATE INDEX i ON a (id)"]
    assert (made.revisions[1].is_transactional, made.revisions[1].is_shared) == (True, False)
    assert [each.name for each in made.revisions[1].tables] == ["a"]
    assert made.revisions[0].tables == ()
    assert (heads(database_url), tables(database_url)) == ({"aaa111"}, {"a", "alembic_version"})
    assert files(app.parent) == before


def test_a_transaction_of_the_whole_run_is_told(make_app: MakeApp) -> None:
    together = make_app(LOST, LINE, {"migrate.transaction": "single"})

    assert [each.is_shared for each in plan(run_context(together), start="bbb222").revisions] == [
        True
    ]


def test_a_plan_makes_neither_database_nor_version_table(
    make_app: MakeApp, database_url: str
) -> None:
    app = make_app(database_url, LINE)
    before = files(app.parent)

    assert ids(plan(run_context(app), "bbb222")) == ["aaa111", "bbb222"]
    assert files(app.parent) == before
    if database_url.startswith("postgresql"):
        assert tables(database_url) == set()


def test_a_downgrade_is_told_from_where_the_database_stands(
    make_app: MakeApp, database_url: str
) -> None:
    app = make_app(database_url, LINE)
    upgrade(run_context(app))

    made = plan(run_context(app), "-2", direction="downgrade")

    assert ids(made) == ["ccc333", "bbb222"]
    assert sql(made.revisions[0]) == ["DROP INDEX i"]
    assert [each.name for each in made.revisions[1].tables] == ["b"]


def test_a_start_needs_no_database(make_app: MakeApp) -> None:
    app = make_app(LOST, LINE)

    up, down = (
        plan(run_context(app), "ccc333", start="aaa111"),
        plan(run_context(app), "base", direction="downgrade", start="bbb222"),
    )

    assert ids(up) == ["bbb222", "ccc333"]
    assert ids(down) == ["bbb222", "aaa111"]
    assert up.databases == ()


def test_a_start_needs_no_database_with_the_cookiecutters_env_py(make_app: MakeApp) -> None:
    app = make_app(LOST, LINE)
    (app.parent / "migrations" / "env.py").write_text(
        "from alembic import context\n"
        "assert context.is_offline_mode()\n"
        "url = context.config.get_main_option('sqlalchemy.url')\n"
        "context.configure(url=url, literal_binds=True)\n"
        "with context.begin_transaction():\n    context.run_migrations()\n"
    )

    assert ids(plan(run_context(app), start="base")) == ["aaa111", "bbb222", "ccc333"]


def test_databases_that_are_not_asked_are_one(make_app: MakeApp) -> None:
    app = make_app(LOST, LINE)
    (app.parent / "migrations" / "env.py").write_text(
        "from alembic import context\n"
        "for _ in range(2):\n"
        "    context.configure(dialect_name='postgresql')\n"
        "    context.run_migrations()\n"
    )

    assert ids(plan(run_context(app), start="bbb222")) == ["ccc333"]


def test_an_env_py_without_an_offline_mode_is_told(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, LINE)
    (app.parent / "migrations" / "env.py").write_text(foreign_env())
    before = files(app.parent)

    with pytest.raises(UsageError) as caught:
        plan(run_context(app), start="base")

    assert caught.value.message == (
        "env.py connects to the database, though it was asked for SQL only: `--from` can't do"
        " without the database."
    )
    assert caught.value.hint == (
        "let env.py ask `context.is_offline_mode()`, or leave out `--from`."
    )
    assert files(app.parent) == before


def test_an_env_py_that_writes_files_is_not_run_for_sql(make_app: MakeApp) -> None:
    app = make_app(LOST, LINE)
    template = Path(alembic.__file__).parent / "templates" / "multidb" / "env.py"
    (app.parent / "migrations" / "env.py").write_text(template.read_text())
    before = files(app.parent)

    with pytest.raises(UsageError) as caught:
        plan(run_context(app), start="base")

    assert caught.value.message == (
        "env.py sets `output_buffer`, so that it may write files in offline mode. A plan writes"
        " none, so `--from` can't do with it."
    )
    assert files(app.parent) == before


def test_an_env_py_that_names_no_database_has_no_plan(make_app: MakeApp) -> None:
    made = plan(run_context(app_of_several(make_app, databases_env([]), LINE)))

    assert (made.databases, made.revisions, made.is_past) == ((), (), False)


def test_a_database_that_is_past_the_target_is_told_so(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, LINE)
    upgrade(run_context(app))

    made = plan(run_context(app), "aaa111")

    assert (made.revisions, made.is_past) == ((), True)
    assert not plan(run_context(app)).is_past


@pytest.mark.parametrize(
    ("target", "direction", "start", "message", "hint"),
    [
        (
            "aaa111",
            "upgrade",
            "ccc333",
            "`aaa111` is not above `ccc333`, so nothing leads up to it.",
            "type `{cmd} plan --from ccc333 --down aaa111`.",
        ),
        (
            "ccc333",
            "downgrade",
            "aaa111",
            "`ccc333` is not below `aaa111`, so nothing leads down to it.",
            "type `{cmd} plan --from aaa111 ccc333`.",
        ),
    ],
)
def test_a_target_on_the_wrong_side_of_the_start(
    make_app: MakeApp, target: str, direction: str, start: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        plan(run_context(make_app(LOST, LINE)), target, direction=direction, start=start)  # type: ignore[arg-type]

    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_database_that_cannot_be_reached(make_app: MakeApp) -> None:
    app = make_app(LOST, LINE)
    with pytest.raises(DatabaseUnreachable) as caught:
        plan(run_context(app))

    assert str(caught.value.hint).endswith(" `{cmd} plan --from REVISION` needs no database.")


def test_several_heads_are_all_planned_and_one_head_is_not_chosen(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, [*LINE, Revision("ddd444", "bbb222")])

    assert set(ids(plan(run_context(app)))) == {"aaa111", "bbb222", "ccc333", "ddd444"}
    with pytest.raises(MultipleHeads):
        plan(run_context(app), "head")


def test_an_env_py_that_runs_nothing_is_told(make_app: MakeApp) -> None:
    app = make_app(LOST, LINE)
    (app.parent / "migrations" / "env.py").write_text("")
    with pytest.raises(EnvPyFailed):
        plan(run_context(app), start="base")


def test_revisions_go_on_after_one_that_asks_the_database(
    make_app: MakeApp, sqlite_url: str
) -> None:
    change(sqlite_url, "CREATE TABLE users (id INTEGER, name TEXT)", "CREATE TABLE other (i INT)")
    asking = (
        "for row in op.get_bind().execute(sa.text('SELECT id FROM users')):\n"
        "    op.execute('UPDATE users SET name = 1')"
    )
    app = make_app(sqlite_url, [Revision("aaa111", upgrade=asking), *_after(LINE[0], "aaa111")])

    first, second = plan(run_context(app)).revisions

    assert first.unrendered
    assert [each.name for each in first.tables] == ["users"]
    assert (sql(second)[0][:15], second.unrendered) == ("CREATE TABLE a ", None)


def _after(revision: Revision, down: str) -> list[Revision]:
    return [Revision("bbb222", down, revision.message, revision.upgrade, revision.downgrade)]


def test_a_comment_allows_what_the_linter_finds(make_app: MakeApp, postgresql_url: str) -> None:
    app = make_app(postgresql_url, LINE)
    upgrade(run_context(app), "bbb222")
    path = app.parent / "migrations" / "versions" / "ccc333_.py"

    made = plan(run_context(app))
    (found,) = made.refused
    path.write_text(
        f"{path.read_text()}\n# migrate: allow {found.rule} because the table is empty\n"
    )
    allowed = plan(run_context(app))

    assert (found.rule, found.level, found.revision, found.path) == (
        "require-concurrent-index-creation",
        "error",
        "ccc333",
        str(path),
    )
    assert path.read_text().splitlines()[(found.line or 0) - 1] == f"    {INDEX}"
    assert allowed.refused == ()
    assert [each.allowed for each in allowed.findings] == ["the table is empty"]
    assert (made.is_linted, allowed.is_linted) == (True, True)


def test_a_linter_that_fails_is_told_once(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".squawk.toml").write_text("excluded_rules = [1")

    made = plan(run_context(make_app(LOST, LINE)), start="base")

    (note,) = made.findings
    assert (note.rule, note.level, note.revision) == ("linter-failed", "note", "aaa111")
    assert made.refused == ()


def test_the_linter_has_no_say_about_sqlite(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, LINE)
    upgrade(run_context(app), "bbb222")

    assert plan(run_context(app)).is_linted is None
    assert plan(run_context(app)).findings == ()


def test_each_database_has_its_own_plan(make_app: MakeApp, tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("one", "two")]
    app = app_of_several(make_app, databases_env(urls), LINE)
    change(
        urls[1],
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('aaa111')",
        "CREATE TABLE a (id INTEGER)",
    )

    made = plan(run_context(app), "bbb222")

    assert [(each.table.database, each.revision.revision) for each in made.revisions] == [
        (urls[0], "aaa111"),
        (urls[0], "bbb222"),
        (urls[1], "bbb222"),
    ]
    assert not (tmp_path / "one.sqlite").exists()


def test_each_tenants_tables_have_their_own_sizes(make_app: MakeApp, postgresql_url: str) -> None:
    for tenant, count in (("one", 1), ("two", 100)):
        change(
            postgresql_url,
            f"CREATE SCHEMA {tenant}",
            f"CREATE TABLE {tenant}.a AS SELECT generate_series(1, {count}) AS id",
            f"ANALYZE {tenant}.a",
            f"CREATE TABLE {tenant}.alembic_version AS SELECT 'bbb222'::varchar(32) AS version_num",
        )
    app = app_of_several(make_app, schemas_env(postgresql_url, ["one", "two"]), LINE)

    made = plan(run_context(app))

    assert [(each.tables[0].schema, each.tables[0].rows) for each in made.revisions] == [
        ("one", 1),
        ("two", 100),
    ]


def test_a_locked_table_is_not_waited_for(make_app: MakeApp, postgresql_url: str) -> None:
    app = make_app(postgresql_url, LINE)
    upgrade(run_context(app), "bbb222")
    with connection_to(postgresql_url) as holder:
        holder.exec_driver_sql("LOCK TABLE a IN ACCESS EXCLUSIVE MODE")
        (made,) = plan(run_context(app)).revisions

    assert [each.name for each in made.tables] == ["a"]


def test_a_size_has_a_title() -> None:
    assert TableSize("shop", "items", 1, 1, is_visible=False).title == "shop.items"
    assert TableSize("shop", "items", 1, 1).title == "items"

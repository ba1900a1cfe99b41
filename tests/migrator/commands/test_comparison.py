"""Models against the database."""

import sys
from pathlib import Path

import pytest
from support.command import invoke, run
from support.database import change, tables
from support.history import ENV, MakeApp, Revision, create_table
from support.models import ID, SETTING, MakeModels, table

from myapp.migrator.base.errors import (
    DatabaseUnreachable,
    PendingMigrations,
    SchemaDrift,
    SettingsError,
)
from myapp.migrator.commands.comparison import check
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.config import run_context

FIRST = Revision("aaa111", message="add a", **create_table("a"))


def test_models_that_match_agree(
    make_app: MakeApp, make_models: MakeModels, database_url: str
) -> None:
    config = run_context(make_app(database_url, [FIRST], {SETTING: make_models(table(ID))}))
    upgrade(config)

    assert check(config).rows == ("aaa111",)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ((ID, "Column('x', Integer)"), "add column a.x"),
        ((ID, "Column('x', Integer, index=True)"), "add index ix_a_x on a (x)"),
        (
            (ID, "UniqueConstraint('id', name='uq')"),
            "add constraint uq on a (id)",
        ),
        (("Column('id', BigInteger, primary_key=True)",), "modify type of a.id:"),
    ],
)
def test_what_the_models_have_more_is_listed(
    make_app: MakeApp,
    make_models: MakeModels,
    database_url: str,
    columns: tuple[str, ...],
    line: str,
) -> None:
    models = make_models(table(*columns))
    config = run_context(make_app(database_url, [FIRST], {SETTING: models}))
    upgrade(config)

    with pytest.raises(SchemaDrift) as raised:
        check(config)

    assert any(each.startswith(line) for each in raised.value.details["differences"])


def test_every_kind_of_difference_is_one_line(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    code = table(
        ID,
        "Column('name', String(50), nullable=False, server_default='x', comment='a name')",
        "Column('other_id', ForeignKey('other.id', name='fk_other'))",
        "comment='all of a'",
    ) + table(ID, name="other")
    made = """
        op.create_table("other", sa.Column("id", sa.Integer, primary_key=True))
        op.create_table(
            "a",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(20)),
            sa.Column("other_id", sa.Integer),
            sa.Column("gone", sa.Integer, index=True),
            sa.CheckConstraint("gone > 0"),
            sa.UniqueConstraint("other_id", name="uq_gone"),
        )
        op.create_table("left_over", sa.Column("id", sa.Integer))
    """
    first = Revision("aaa111", upgrade=made)
    settings = {SETTING: make_models(code)}
    config = run_context(make_app(postgresql_url, [first], settings))
    upgrade(config)

    with pytest.raises(SchemaDrift) as raised:
        check(config)

    assert raised.value.details["differences"] == [
        "add table comment a",
        "remove table left_over",
        "remove column a.gone",
        "add fk fk_other on a (other_id)",
        "modify comment of a.name: None -> 'a name'",
        "modify default of a.name: None -> 'x'",
        "modify nullable of a.name: True -> False",
        "modify type of a.name: VARCHAR(length=20) -> String(length=50)",
        "remove constraint a_gone_check on a",
        "remove constraint uq_gone on a (other_id)",
        "remove index ix_a_gone on a (gone)",
    ]


@pytest.mark.parametrize("command", ["check", "revision --autogenerate"])
def test_two_runs_list_the_same_in_the_same_order(
    command: str, make_app: MakeApp, make_models: MakeModels, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, [], {SETTING: make_models(table(ID))})
    columns = ", ".join(f"{name} INTEGER" for name in "fedcb")
    change(sqlite_url, f"CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY, {columns})")
    change(sqlite_url, *(f"CREATE TABLE t{number} (id INTEGER)" for number in range(5)))

    done = [
        run(app, *command.split(), env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(app.parent)})
        for seed in ("1", "2")[: 2 if command == "check" else 1]
    ]

    lines = done[0].stderr.splitlines() + done[0].stdout.splitlines()
    found = [line.removeprefix("Found:").strip() for line in lines]
    tables = [f"remove table t{number}" for number in range(5)]
    removed_columns = [f"remove column a.{name}" for name in "bcdef"]
    # A revision's are in the order of the file, which drops tables last.
    assert [line for line in found if line.startswith("remove")] == (
        tables + removed_columns if command == "check" else removed_columns + tables[::-1]
    )
    assert done[0] == done[-1]


def test_the_error_lists_the_differences_and_the_command_for_them(
    make_app: MakeApp, make_models: MakeModels, database_url: str
) -> None:
    models = make_models(table(ID, "Column('x', Integer)") + table(ID, name="b"))
    config = run_context(make_app(database_url, [FIRST], {SETTING: models}))
    upgrade(config)

    with pytest.raises(SchemaDrift) as raised:
        check(config)

    assert raised.value.message == (
        "Models and database differ, 2 differences:\n  add table b\n  add column a.x"
    )
    assert raised.value.hint == (
        'write the missing revision with `{cmd} revision --autogenerate -m "..."`.'
    )


def test_a_database_behind_the_code_is_not_compared(
    make_app: MakeApp, make_models: MakeModels, database_url: str
) -> None:
    later = Revision("bbb222", "aaa111")
    models = make_models(table(ID))
    config = run_context(make_app(database_url, [FIRST, later], {SETTING: models}))
    upgrade(config, "aaa111")

    with pytest.raises(PendingMigrations) as raised:
        check(config)

    assert raised.value.message == "1 revision pending: the database stands at aaa111 (add a)."


def test_a_database_that_does_not_exist_is_not_made(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str, tmp_path: Path
) -> None:
    config = run_context(make_app(sqlite_url, [], {SETTING: make_models(table(ID))}))

    with pytest.raises(DatabaseUnreachable) as raised:
        check(config)

    assert raised.value.message == (
        f"The database file {tmp_path / 'test.sqlite'} does not exist, so there is nothing to"
        " compare with."
    )
    assert raised.value.hint == (
        'write the first revision with `{cmd} revision --autogenerate -m "..."`.'
    )
    assert not (tmp_path / "test.sqlite").exists()


def test_a_first_revision_is_written_without_making_the_database(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str, tmp_path: Path
) -> None:
    app = make_app(sqlite_url, [], {SETTING: make_models(table(ID))})

    done = invoke(app, "revision", "--autogenerate", "-m", "First")

    assert done.stdout.startswith("Found: add table a\n")
    assert not (tmp_path / "test.sqlite").exists()


def test_no_cache_is_written_beside_what_is_compared(
    make_app: MakeApp,
    make_models: MakeModels,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = make_app(sqlite_url, [FIRST], {SETTING: make_models(table(ID))})
    assert invoke(app, "upgrade").returncode == 0
    for path in tmp_path.rglob("*.pyc"):
        path.unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    assert invoke(app, "check").returncode == 0

    assert list(tmp_path.rglob("*.pyc")) == []
    assert sys.dont_write_bytecode is False


def test_a_database_without_a_version_table_is_compared_as_it_is(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE a (id SERIAL PRIMARY KEY)")
    config = run_context(make_app(postgresql_url, [], {SETTING: make_models(table(ID))}))

    assert check(config).rows == ()
    assert tables(postgresql_url) == {"a"}


def test_what_env_py_leaves_out_is_left_out(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str
) -> None:
    models = make_models(table(ID) + table(ID, name="b"))
    app = make_app(sqlite_url, [FIRST], {SETTING: models})
    leave_out = "include_name=lambda name, kind, parents: name != 'b', include_object="
    leave_out += "lambda thing, name, kind, reflected, other: name != 'b'"
    env = app.parent / "migrations" / "env.py"
    env.write_text(ENV.replace("run_migrations()", f"run_migrations({leave_out})"))
    upgrade(run_context(app))

    assert check(run_context(app))


def test_the_models_of_several_modules_are_compared(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str
) -> None:
    models = make_models(table(ID) + "more = MetaData()\nTable('b', more, Column('id', Integer))")
    module = models.partition(":")[0]
    both = f"{models}, {module}:more"
    app = make_app(sqlite_url, [FIRST], {SETTING: both})
    upgrade(run_context(app))

    with pytest.raises(SchemaDrift) as raised:
        check(run_context(app))

    assert raised.value.details["differences"] == ["add table b"]


def test_models_are_needed(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, [FIRST])
    upgrade(run_context(app))

    with pytest.raises(SettingsError) as raised:
        check(run_context(app))

    assert raised.value.message == (
        "There are no models to compare the database with: env.py has no `target_metadata`."
    )
    assert raised.value.hint == (
        "add `alembic.target_metadata = package.models:Base.metadata`, or set it in an env.py of"
        " your own."
    )

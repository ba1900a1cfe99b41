"""The quick answers against the ordinary ones."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.database import change, connection_to
from support.examples import pairs
from support.graphs import GRAPHS, states
from support.history import MakeApp, Revision, add_revision
from support.ini import MakeIni

from myapp.migrator.base.ask_alembic import AskAlembic
from myapp.migrator.base.errors import MigrateError
from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.commands import migration, reports
from myapp.migrator.commands.alembic_source import AlembicSource
from myapp.migrator.commands.quick import QuickSource, at_heads, nothing_to_do
from myapp.migrator.settings.settings import load_settings

LINE = [Revision("aaa111", message="first"), Revision("bbb222", "aaa111", message="second")]


def stand_at(url: str, heads: tuple[str, ...], table: str = "alembic_version") -> None:
    with connection_to(url) as connection:
        connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {table} (version_num varchar(32))")
        connection.exec_driver_sql(f"DELETE FROM {table}")
        for head in heads:
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ('{head}')")


def quick(ini: Path) -> QuickSource:
    return QuickSource(load_settings(str(ini)))


def outcome(ask: Callable[[], object]) -> object:
    """Return an answer, or what the error says."""
    try:
        return ask()
    except MigrateError as error:
        return type(error), error.message, error.hint, error.details


@pytest.mark.parametrize(
    ("path", "schema", "expected"),
    [
        ("public", None, "public"),
        ("app", None, "app"),
        ("x", "app", "app"),
    ],
)
def test_the_schema_that_it_names_is_the_ordinary_one(
    path: str, schema: str | None, expected: str, make_app: MakeApp, postgresql_url: str
) -> None:
    settings = {"alembic.version_table_schema": schema} if schema else {}
    url = f"{postgresql_url}&options=-csearch_path%3D{path}"
    ini = make_app(url, [Revision("aaa111")], settings)
    change(postgresql_url, "CREATE SCHEMA app")
    theirs = reports.current(AlembicSource(build_context(load_settings(str(ini)))))
    assert reports.current(quick(ini)) == theirs
    assert theirs.databases[0].table.schema == expected


def test_where_no_schema_can_be_used_it_leaves_the_answer_to_alembic(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(f"{postgresql_url}&options=-csearch_path%3Dx", [Revision("aaa111")])
    with pytest.raises(AskAlembic, match="may use no schema"):
        reports.current(quick(ini))


@pytest.mark.parametrize(("graph", "kind"), pairs(list(GRAPHS), ["sqlite", "postgresql"]))
def test_its_answers_are_the_ordinary_ones(
    graph: str, kind: str, make_app: MakeApp, request: pytest.FixtureRequest
) -> None:
    database_url: str = request.getfixturevalue(f"{kind}_url")
    ini = make_app(database_url, GRAPHS[graph])
    settings = load_settings(str(ini))
    config = build_context(settings)
    answered = 0
    for heads in states(load_history(config)):
        stand_at(database_url, heads)
        asked: list[tuple[Callable[[], object], Callable[[], object]]] = [
            (lambda: reports.current(quick(ini)), lambda: reports.current(AlembicSource(config))),
            (
                lambda: reports.current(quick(ini), check_heads=True),
                lambda: reports.current(AlembicSource(config), check_heads=True),
            ),
            (lambda: reports.history(quick(ini)), lambda: reports.history(AlembicSource(config))),
            (lambda: reports.heads(quick(ini)), lambda: reports.heads(AlembicSource(config))),
            (
                lambda: reports.heads(quick(ini), resolve_dependencies=True),
                lambda: reports.heads(AlembicSource(config), resolve_dependencies=True),
            ),
            (lambda: reports.branches(quick(ini)), lambda: reports.branches(AlembicSource(config))),
            *(
                (
                    lambda name=name: reports.show(quick(ini), name),
                    lambda name=name: reports.show(AlembicSource(config), name),
                )
                for name in ("current", "heads", "head", "aaa", "left@head", "nope")
            ),
        ]
        for answer, ordinary in asked:
            with suppress(AskAlembic):
                assert outcome(answer) == outcome(ordinary)
                answered += 1
        for target in ("heads", "head", "+1", "aaa111", "base"):
            with suppress(AskAlembic):
                assert nothing_to_do(quick(ini), target) == migration.upgrade(config, target)
                answered += 1

    assert answered >= 7 * len(states(load_history(config)))


def test_a_database_at_head_is_answered_for(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(database_url, LINE)
    stand_at(database_url, ("bbb222",))

    assert nothing_to_do(quick(ini), "heads").standing == "bbb222 (second)"
    assert reports.current(quick(ini)).pending == ()


def test_a_database_that_does_not_exist_is_not_made(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, LINE)

    assert reports.current(quick(ini)).rows == ()
    assert not (tmp_path / "test.sqlite").exists()


def test_a_database_without_a_version_table_gets_none(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)

    assert reports.current(quick(ini)).rows == ()
    with connection_to(postgresql_url) as connection:
        found = connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar()
    assert found is None


def test_a_pending_upgrade_is_left_to_the_ordinary_path(
    make_app: MakeApp, database_url: str
) -> None:
    ini = make_app(database_url, LINE)
    stand_at(database_url, ("aaa111",))

    with pytest.raises(AskAlembic):
        nothing_to_do(quick(ini), "heads")


@pytest.mark.parametrize(
    "setting",
    [
        {"sqlalchemy.echo": "true"},
        {"alembic.truncate_slug_length": "50"},
        {"alembic.prepend_sys_path": "."},
        {"alembic.version_locations": "myapp:migrations/versions"},
        {"sqlalchemy.url": "mysql://localhost/db"},
        {"sqlalchemy.url": "sqlite://"},
        {"sqlalchemy.url": "sqlite:///file:x.sqlite?uri=true"},
        {"sqlalchemy.url": "postgresql+psycopg://localhost/db"},
        {"sqlalchemy.url": "postgresql://a,b/db"},
        {"sqlalchemy.url": "postgresql://localhost/db?host=a,b"},
        {"sqlalchemy.url": "postgresql://localhost/db?gssencmode=disable"},
        {"sqlalchemy.url": "postgresql://localhost:1/db"},
        {"sqlalchemy.url": ""},
    ],
    ids=lambda setting: " ".join(f"{key}={value}" for key, value in setting.items()),
)
def test_an_unusual_setting_is_left_to_the_ordinary_path(
    setting: dict[str, str], make_app: MakeApp, make_ini: MakeIni, sqlite_url: str, tmp_path: Path
) -> None:
    make_app(sqlite_url, LINE)
    usual = {
        "sqlalchemy.url": sqlite_url,
        "alembic.script_location": str(tmp_path / "migrations"),
    }
    assert reports.current(quick(make_ini(usual)))

    with pytest.raises(AskAlembic):
        reports.current(quick(make_ini(usual | setting)))


@pytest.mark.parametrize(
    "env_py",
    [
        "from myapp.migrator.environment import run_migrations\n\n"
        "run_migrations(version_table='other')\n",
        "from alembic import context\n",
        '"""One."""\nimport os\n"""Two."""\n'
        "from myapp.migrator.environment import run_migrations\nrun_migrations()\n",
        '"""\\"""\nprint(1)\nfrom myapp.migrator.environment import run_migrations\n'
        "run_migrations()\n",
    ],
)
def test_an_env_py_of_its_own_is_left_to_the_ordinary_path(
    env_py: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, LINE)
    assert reports.current(quick(ini))
    (tmp_path / "migrations" / "env.py").write_text(env_py)

    ordinary = AlembicSource(build_context(load_settings(str(ini))))
    assert reports.heads(quick(ini)) == reports.heads(ordinary)
    with pytest.raises(AskAlembic):
        reports.current(quick(ini))


@pytest.mark.parametrize("id_", ["str('ccc333')", "str(1 / 0)"])
def test_a_file_in_doubt_is_run_and_left_to_the_ordinary_path_if_it_fails(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, id_: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    assert reports.current(quick(ini))
    path = add_revision(tmp_path / "migrations", Revision("ccc333", "bbb222"))
    path.write_text(path.read_text().replace("revision = 'ccc333'", f"revision = {id_}", 1))

    if "ccc333" in id_:
        (head,) = reports.heads(quick(ini))
        assert head.revision == "ccc333"
    else:
        with pytest.raises(AskAlembic):
            reports.heads(quick(ini))


@pytest.mark.parametrize("heads", [("zzz999",), ("aaa111", "zzz999")])
def test_a_database_ahead_is_told_or_left_to_the_ordinary_path(
    heads: tuple[str, ...], make_app: MakeApp, database_url: str
) -> None:
    ini = make_app(database_url, LINE)
    context = build_context(load_settings(str(ini)))
    stand_at(database_url, heads)

    for ask in (reports.current, reports.history):
        ordinary = outcome(lambda ask=ask: ask(AlembicSource(context)))
        assert outcome(lambda ask=ask: ask(quick(ini))) == ordinary
    with pytest.raises(AskAlembic):
        nothing_to_do(quick(ini), "heads")


def test_a_wait_that_is_not_over_is_left_to_the_ordinary_path(
    make_app: MakeApp, database_url: str
) -> None:
    ini = make_app(database_url, LINE)
    stand_at(database_url, ("aaa111",))
    with pytest.raises(AskAlembic):
        at_heads(quick(ini))
    stand_at(database_url, ("bbb222",))

    assert at_heads(quick(ini)) == reports.current(quick(ini))

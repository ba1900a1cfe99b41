"""The version table's column holds the longest id, or that it doesn't is known before the run."""

from pathlib import Path

import pytest
from support.command import invoke
from support.database import change, feed, heads, rows, tables
from support.history import MakeApp, Revision, create_table, foreign_env
from support.processes import write_env

LONG = "0002_an_id_that_has_more_than_32_characters"
LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
    Revision(LONG, "bbb222", **create_table("c")),
]
WIDTH = (
    "SELECT character_maximum_length FROM information_schema.columns"
    " WHERE table_name = 'alembic_version'"
)
TOO_LONG = (
    f"Error: The revision id {LONG} has 43 characters, and the version table alembic_version takes"
    " 32, so it could not be recorded. Nothing was run.\n"
    "Hint:  `myapp-migrate {ini} repair` widens the column version_num.\n"
)
ENVIRONMENTS = pytest.mark.parametrize("env", [None, foreign_env(), foreign_env("")])


def app(make_app: MakeApp, url: str, env: str | None = None) -> Path:
    ini = make_app(url, LINE)
    if env:
        write_env(ini, env)
    return ini


@ENVIRONMENTS
@pytest.mark.parametrize("command", ["upgrade", f"stamp {LONG}", "ensure-version", "upgrade +1"])
def test_a_new_table_is_as_wide_as_the_longest_id(
    make_app: MakeApp, postgresql_url: str, command: str, env: str | None
) -> None:
    result = invoke(app(make_app, postgresql_url, env), *command.split())

    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, WIDTH) == [(len(LONG),)]


def test_a_history_of_short_ids_has_alembics_own_table(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE[:2])

    assert invoke(ini, "upgrade").returncode == 0
    assert rows(postgresql_url, WIDTH) == [(32,)]


def test_the_table_of_an_impl_of_env_pys_own_is_wide_enough(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """Alembic lets an implementation make another version table."""
    ini = app(make_app, postgresql_url)
    path = ini.parent / "migrations" / "env.py"
    path.write_text(
        "import sqlalchemy as sa\n"
        "from alembic.ddl.postgresql import PostgresqlImpl\n"
        "class Impl(PostgresqlImpl):\n"
        "    def version_table_impl(self, *, version_table, version_table_schema, **kw):\n"
        "        return sa.Table(version_table, sa.MetaData(), sa.Column('version_num',"
        " sa.String(20), primary_key=True), schema=version_table_schema)\n" + path.read_text()
    )
    try:
        assert invoke(ini, "upgrade").returncode == 0
    finally:
        from alembic.ddl.impl import _impls
        from alembic.ddl.postgresql import PostgresqlImpl

        _impls["postgresql"] = PostgresqlImpl
    assert rows(postgresql_url, WIDTH) == [(len(LONG),)]


@ENVIRONMENTS
def test_ensure_version_widens_a_table_that_is_there(
    make_app: MakeApp, postgresql_url: str, env: str | None
) -> None:
    change(postgresql_url, "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")

    result = invoke(app(make_app, postgresql_url, env), "ensure-version")

    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, WIDTH) == [(len(LONG),)]


def test_a_column_whose_change_env_py_does_not_commit_is_an_error(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
    env = foreign_env(before='connection.execute(text("SELECT 1"))')

    result = invoke(app(make_app, postgresql_url, env), "ensure-version")

    assert (result.returncode, rows(postgresql_url, WIDTH)) == (1, [(32,)])
    assert "env.py reported success, but nothing was committed" in result.stderr


@ENVIRONMENTS
@pytest.mark.parametrize("command", ["upgrade", f"stamp {LONG}", f"stamp --purge {LONG}"])
def test_an_id_that_does_not_fit_is_known_before_anything_runs(
    make_app: MakeApp, postgresql_url: str, command: str, env: str | None
) -> None:
    change(postgresql_url, "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
    ini = app(make_app, postgresql_url, env)

    result = invoke(ini, *command.split())

    assert (result.returncode, result.stderr) == (2, TOO_LONG.replace("{ini}", str(ini)))
    assert tables(postgresql_url) == {"alembic_version"}


def test_only_the_ids_that_are_to_be_written_have_to_fit(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE alembic_version (version_num varchar(6) NOT NULL)")
    ini = app(make_app, postgresql_url)

    assert invoke(ini, "upgrade", "bbb222").returncode == 0
    assert invoke(ini, "downgrade", "-1").returncode == 0
    assert heads(postgresql_url) == {"aaa111"}


def test_a_downgrade_that_leads_to_a_long_id_is_refused_too(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [*LINE, Revision("ddd444", LONG)])
    change(postgresql_url, "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
    change(postgresql_url, "INSERT INTO alembic_version VALUES ('ddd444')")

    result = invoke(ini, "downgrade", "-1")

    assert (result.returncode, result.stderr) == (2, TOO_LONG.replace("{ini}", str(ini)))


@pytest.mark.parametrize("type_", ["text", "varchar", "varchar(43)"])
def test_a_column_with_room_is_left_as_it_is(
    make_app: MakeApp, postgresql_url: str, type_: str
) -> None:
    change(postgresql_url, f"CREATE TABLE alembic_version (version_num {type_} NOT NULL)")

    assert invoke(app(make_app, postgresql_url), "upgrade").returncode == 0
    assert heads(postgresql_url) == {LONG}


def test_the_column_of_another_schema_is_meant(make_app: MakeApp, postgresql_url: str) -> None:
    change(
        postgresql_url,
        'CREATE SCHEMA "My own"',
        'CREATE TABLE "My own".alembic_version (version_num varchar(32) NOT NULL)',
        "CREATE TABLE alembic_version (version_num varchar(99) NOT NULL)",
    )
    ini = make_app(postgresql_url, LINE, {"alembic.version_table_schema": "My own"})

    result = invoke(ini, "upgrade")

    assert result.returncode == 2
    assert "the version table My own.alembic_version takes 32" in result.stderr


def test_on_sqlite_no_width_matters(make_app: MakeApp, sqlite_url: str) -> None:
    change(sqlite_url, "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")

    assert invoke(app(make_app, sqlite_url), "upgrade").returncode == 0
    assert heads(sqlite_url) == {LONG}


@pytest.mark.parametrize("command", ["upgrade", f"stamp {LONG}", "ensure-version"])
def test_sql_makes_a_table_that_is_wide_enough(
    make_app: MakeApp, postgresql_url: str, command: str
) -> None:
    script = invoke(app(make_app, postgresql_url), *command.split(), "--sql").stdout

    assert f"version_num VARCHAR({len(LONG)}) NOT NULL" in script
    feed(postgresql_url, script)
    assert heads(postgresql_url) == (set() if command == "ensure-version" else {LONG})


@pytest.mark.parametrize("command", ["upgrade bbb222:head", f"stamp bbb222:{LONG}"])
def test_sql_for_a_table_that_is_there_warns(
    make_app: MakeApp, sqlite_url: str, command: str
) -> None:
    ini = make_app("postgresql://", LINE)

    result = invoke(ini, *command.split(), "--sql")

    assert (result.returncode, "CREATE TABLE alembic_version" in result.stdout) == (0, False)
    assert result.stderr == (
        f"Warning: the id {LONG} has 43 characters. A version table that Alembic has made takes 32:"
        " `repair` widens it.\n"
    )
    sqlite = make_app_again(ini, sqlite_url)
    assert invoke(sqlite, *command.split(), "--sql").stderr == ""


def make_app_again(ini: Path, url: str) -> Path:
    """Let the application use another database."""
    ini.write_text(ini.read_text().replace("postgresql://", url))
    return ini


def test_nothing_is_widened_outside_a_run(make_app: MakeApp, postgresql_url: str) -> None:
    import sqlalchemy as sa

    assert invoke(app(make_app, postgresql_url), "ensure-version").returncode == 0
    other = sa.Table("other", sa.MetaData(), sa.Column("version_num", sa.String(3)))
    engine = sa.create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        other.create(connection)
    engine.dispose()
    found = rows(postgresql_url, WIDTH.replace("alembic_version", "other"))
    assert found == [(3,)]

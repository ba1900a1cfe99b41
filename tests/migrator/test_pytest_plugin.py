"""The fixtures, in runs of pytest as an application's tests have them."""

import re
import signal
import sys
from pathlib import Path

import pytest
from support import postgresql
from support.database import tables
from support.history import MakeApp, Revision, add_revision, create_table
from support.scratches import left_over

pytest_plugins = ["pytester"]

LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
]
TESTS = """\
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

INSERT = sa.text("INSERT INTO b DEFAULT VALUES")
COUNT = sa.text("SELECT count(*) FROM b")
LOCKS = sa.text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    " AND pid = pg_backend_pid()"
)


@pytest.mark.parametrize("number", range(3))
def test_fresh(number, migrated_database, migrated_engine):
    assert str(migrated_engine.url.database) in migrated_database
    with migrated_engine.begin() as connection:
        assert connection.scalar(COUNT) == 0
        connection.execute(INSERT)
        assert connection.scalar(sa.text("SELECT id FROM b")) == 1


@pytest.mark.parametrize("number", range(2))
def test_schema(number, migrated_engine):
    with migrated_engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE more (id int)"))


@pytest.mark.parametrize("number", range(5))
def test_rolled_back(number, migrated_connection):
    with Session(migrated_connection) as session:
        assert session.scalar(COUNT) == 0
        session.execute(INSERT)
        session.commit()
        session.execute(INSERT)
        session.rollback()
        assert session.scalar(COUNT) == 1
    if number == 1:
        migrated_connection.commit()
    if number == 2:
        migrated_connection.execute(sa.text("COMMIT"))
    if number == 3:
        migrated_connection.rollback()
        assert migrated_connection.scalar(COUNT) == 0
        migrated_connection.rollback()
        with migrated_connection.engine.begin() as other:
            other.execute(INSERT)


@pytest.mark.parametrize("number", range(2))
def test_session(number, migrated_connection):
    if migrated_connection.dialect.name == "postgresql":
        assert migrated_connection.scalar(LOCKS) == 0
        migrated_connection.execute(sa.text("SELECT pg_advisory_lock(1)"))


def test_both(migrated_engine, migrated_connection):
    with migrated_engine.begin() as connection:
        connection.execute(INSERT)
    assert migrated_connection.scalar(COUNT) == 0
"""
ONE = "def test_it(migrated_database):\n    pass\n"


#: Files of scratch databases stay among the test's own.
pytestmark = pytest.mark.usefixtures("temporary_folder")


def noted(runs: Path) -> str:
    """Return the body of a revision that writes down each time that it runs."""
    return f"with open({str(runs)!r}, 'a') as file:\n    file.write('x')\n"


def told(result: pytest.RunResult) -> str:
    """Return what stands under the name of the test that failed."""
    text = result.stdout.str()
    return text.partition("ERROR at setup of ")[2].partition("\n")[2].partition("\n====")[0]


@pytest.mark.usefixtures("nothing_is_left")
def test_each_test_has_what_the_revisions_made_and_nothing_else(
    make_app: MakeApp, database_url: str, pytester: pytest.Pytester
) -> None:
    ini = make_app(database_url, LINE)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("--migrate-ini", ini)
    result.assert_outcomes(passed=13)
    if database_url.startswith("postgresql"):
        assert tables(database_url) == set()
    else:
        assert not Path(database_url.removeprefix("sqlite:///")).exists()


def test_a_changed_history_is_migrated_anew(
    make_app: MakeApp, database_url: str, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    ini = make_app(database_url, [*LINE, Revision("ccc333", "bbb222", upgrade=noted(runs))])
    code = "import sqlalchemy\ndef test_it(migrated_engine):\n    print('has', *sorted("
    pytester.makepyfile(f"{code}sqlalchemy.inspect(migrated_engine).get_table_names()))")
    for _ in range(2):
        first = pytester.runpytest_inprocess("--migrate-ini", ini, "-s")
        first.stdout.fnmatch_lines(["*has a alembic_version b"])
        assert runs.read_text() == "x"
    add_revision(ini.parent / "migrations", Revision("ddd444", "ccc333", **create_table("c")))
    second = pytester.runpytest_inprocess("--migrate-ini", ini, "-s")
    second.stdout.fnmatch_lines(["*has a alembic_version b c"])
    assert runs.read_text() == "xx"


def test_two_workers_run_each_revision_once(
    make_app: MakeApp, postgresql_url: str, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    note = "import time\ntime.sleep(0.5)\n" + noted(tmp_path / "runs")
    ini = make_app(postgresql_url, [*LINE, Revision("ccc333", "bbb222", upgrade=note)])
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-n", "2", "--migrate-ini", ini)
    result.assert_outcomes(passed=13)
    assert (tmp_path / "runs").read_text() == "x"


def test_what_a_killed_run_has_left_is_dropped_by_the_next(
    make_app: MakeApp, postgresql_url: str, pytester: pytest.Pytester
) -> None:
    before = left_over(postgresql_url)
    ini = make_app(postgresql_url, LINE)
    pytester.makepyfile("import os\ndef test_it(migrated_engine):\n    os.kill(os.getpid(), 9)\n")
    killed = pytester.runpytest_subprocess("--migrate-ini", ini, "-p", "no:xdist")
    assert killed.ret == -signal.SIGKILL
    assert left_over(postgresql_url) - before
    pytester.makepyfile(ONE)
    pytester.runpytest_inprocess("--migrate-ini", ini).assert_outcomes(passed=1)
    assert left_over(postgresql_url) <= before


@pytest.mark.usefixtures("nothing_is_left")
def test_a_revision_that_fails_is_told_as_by_the_command(
    make_app: MakeApp, database_url: str, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    fails = noted(tmp_path / "runs") + "1 / 0"
    ini = make_app(database_url, [*LINE, Revision("ccc333", "bbb222", upgrade=fails)])
    pytester.makepyfile("def test_one(migrated_database): pass\ndef test_two(migrated_engine): 0")
    result = pytester.runpytest_inprocess("--migrate-ini", ini)
    result.assert_outcomes(errors=2)
    assert told(result).startswith(
        "Error: Revision ccc333 (a change) failed and was rolled back: ZeroDivisionError"
    )
    assert (tmp_path / "runs").read_text() == "x"


def test_a_server_that_is_down_is_told_without_its_password(
    make_app: MakeApp, pytester: pytest.Pytester
) -> None:
    ini = make_app("postgresql://shop:s3cret@127.0.0.1:9/shop", LINE)
    pytester.makepyfile(ONE)
    result = pytester.runpytest_inprocess("--migrate-ini", ini)
    result.assert_outcomes(errors=1)
    assert told(result).startswith("Error: The database can't be used: connection to server at")
    assert "s3cret" not in result.stdout.str()


def test_without_an_ini_file_it_says_what_to_type(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE)
    result = pytester.runpytest_inprocess()
    assert told(result) == (
        f"Error: There is no .ini file for migrated databases in {pytester.path}: neither"
        " testing.ini nor development.ini.\n"
        "Hint:  name it with `--migrate-ini=INI_FILE`, or `migrate_ini` in pytest's settings."
    )


def test_an_ini_file_that_is_not_there_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE)
    result = pytester.runpytest_inprocess("--migrate-ini", "nowhere.ini")
    assert told(result).startswith(f"Error: No such file: {pytester.path}/nowhere.ini.\nHint: ")


@pytest.mark.parametrize("typed", ["app.ini name", "'app.ini"])
def test_what_is_no_ini_file_with_variables_is_told(typed: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE)
    result = pytester.runpytest_inprocess("--migrate-ini", typed)
    assert "Hint:  write `--migrate-ini='testing.ini name=value'`, with quotes." in told(result)


def test_pytests_settings_name_the_ini_file_and_its_variables(
    make_app: MakeApp, sqlite_url: str, pytester: pytest.Pytester
) -> None:
    ini = make_app(sqlite_url, LINE, {"sqlalchemy.url": "sqlite:///%(name)s.sqlite"})
    ini.write_text(ini.read_text().replace("%%(name)s", "%(name)s"))
    pytester.makeini(f"[pytest]\nmigrate_ini = {ini} name=shop")
    pytester.makepyfile(ONE)
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_without_an_option_it_is_the_one_in_the_root_folder(
    make_app: MakeApp, sqlite_url: str, pytester: pytest.Pytester
) -> None:
    ini = make_app(sqlite_url, LINE)
    (pytester.path / "testing.ini").write_text(ini.read_text())
    (pytester.path / "development.ini").write_text("nonsense")
    pytester.makeini("[pytest]")
    pytester.makepyfile(ONE)
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_tests_that_use_no_fixture_import_nothing_through_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("import sys\ndef test_it():\n    print('\\n', *sorted(sys.modules))\n")
    options = ("-s", "-p", "no:cacheprovider")
    without = pytester.runpytest_subprocess(*options)
    with_it = pytester.runpytest_subprocess(*options, "-p", "myapp.migrator.pytest_plugin")
    before, after = (
        set(re.findall(r"[\w.]+", result.stdout.str())) for result in (without, with_it)
    )
    added = {name for name in after - before if name in sys.modules}
    assert {name for name in added if name.partition(".")[0] != "myapp"} == set()
    assert "myapp.migrator.pytest_plugin" in added
    assert added <= {"myapp", "myapp.migrator", "myapp.migrator.pytest_plugin"}


def test_an_editor_shows_what_the_fixtures_are_for(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest_inprocess("--fixtures").stdout.str()
    assert re.search(r"migrated_database.*\n +Return the URL of a database at the heads", shown)
    assert postgresql.PASSWORD not in shown

"""`scratch`: another command with a throw-away database."""

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support import postgresql
from support.command import Result, invoke, run
from support.database import change, heads, rows, tables
from support.history import MakeApp, Revision, create_table, foreign_env
from support.processes import Process, Start, until, write_env
from support.scratches import left_over
from support.sessions import plain_user

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
]
ENVIRONMENTS = pytest.mark.parametrize("env", [None, foreign_env()], ids=["own", "foreign"])
#: Prints the tables of the scratch database, and where it is.
LOOK = (
    "import os, sqlalchemy as sa\n"
    "url = os.environ['DATABASE_URL']\n"
    "made = sa.create_engine(url.replace('postgresql://', 'postgresql+psycopg2://'))\n"
    "print(*sorted(sa.inspect(made).get_table_names()))\n"
    "print(made.url.database)\n"
)


#: Files of scratch databases stay among the test's own.
pytestmark = pytest.mark.usefixtures("temporary_folder")


def look(ini: Path, *options: str, is_fresh: bool = True) -> Result:
    given = [*options, *(["--fresh"] if is_fresh else [])]
    return run(ini, "scratch", *given, "--", sys.executable, "-c", LOOK)


@ENVIRONMENTS
@pytest.mark.usefixtures("nothing_is_left")
def test_a_command_gets_a_database_at_the_heads_and_the_configured_one_is_not_touched(
    env: str | None, make_app: MakeApp, database_url: str
) -> None:
    ini = make_app(database_url, LINE)
    if env:
        write_env(ini, env)
    result = look(ini)
    assert result.returncode == 0, result.stderr
    found, name = result.stdout.splitlines()
    assert found == "a alembic_version b"
    assert "scratch" in name
    assert result.stderr.startswith("Scratch database ")
    if database_url.startswith("sqlite"):
        assert not Path(database_url.removeprefix("sqlite:///")).exists()
    else:
        assert tables(database_url) == set()


@pytest.mark.usefixtures("nothing_is_left")
def test_a_revision_can_be_named(make_app: MakeApp, database_url: str) -> None:
    result = look(make_app(database_url, LINE), "--at", "aaa111", "--quiet")
    assert result.stdout.splitlines()[0] == "a alembic_version"
    assert result.stderr == ""


def test_its_url_is_in_the_variables_that_are_named_too(
    make_app: MakeApp, postgresql_url: str
) -> None:
    words = ["sh", "-c", 'test "$DATABASE_URL" = "$TEST_URL" && echo "$TEST_URL"']
    result = run(
        make_app(postgresql_url, LINE), "scratch", "--fresh", "--env", "TEST_URL", "--", *words
    )
    assert result.stdout.startswith("postgresql://")
    assert postgresql.PASSWORD not in result.stderr


@pytest.mark.parametrize(("code", "status"), [("exit 3", 3), ("kill -TERM $$", 143)])
def test_it_ends_with_the_status_of_the_command(
    code: str, status: int, make_app: MakeApp, sqlite_url: str
) -> None:
    result = run(make_app(sqlite_url, LINE), "scratch", "-q", "--", "sh", "-c", code)
    assert (result.returncode, result.stderr) == (status, "")


def test_a_command_that_there_is_not_is_told_before_anything_is_made(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    result = invoke(ini, "scratch", "--", "no-such-program")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: `no-such-program` can't be run: there is no such program.\n"
        f"Hint:  COMMAND stands after `--`, as in `myapp-migrate {ini} scratch -- pytest`.\n"
    )


def test_the_words_of_the_command_are_left_as_they_are(make_app: MakeApp, sqlite_url: str) -> None:
    words = ["sh", "-c", 'printf "%s|" "$@"', "sh", "-1", "--json", "-v", "a=b"]
    result = run(make_app(sqlite_url, LINE), "scratch", "-q", "--fresh", "--", *words)
    assert result.stdout == "-1|--json|-v|a=b|"


@pytest.mark.usefixtures("nothing_is_left")
def test_the_second_of_the_same_files_is_copied(
    make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    # Another test may have left a template of the same database.
    ini = make_app(database_url, [replace(each, message=str(tmp_path)) for each in LINE])
    first, second = look(ini, is_fresh=False), look(ini, is_fresh=False)
    assert ", migrated in " in first.stderr
    assert ", copied in " in second.stderr
    assert second.stdout.splitlines()[0] == "a alembic_version b"
    assert ", migrated in " in look(ini).stderr
    versions = ini.parent / "migrations" / "versions"
    changed = (versions / "bbb222_.py").read_text().replace("'b'", "'other'")
    (versions / "bbb222_.py").write_text(changed)
    third = look(ini, is_fresh=False)
    assert ", migrated in " in third.stderr
    assert third.stdout.splitlines()[0] == "a alembic_version other"


def test_of_two_at_once_the_second_waits_and_copies(
    make_app: MakeApp, database_url: str, tmp_path: Path, start: Start
) -> None:
    go, runs = tmp_path / "go", tmp_path / "runs"
    wait = (
        f"import pathlib, time\npathlib.Path({str(runs)!r}).touch(exist_ok=False)\n"
        f"while not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.05)"
    )
    ini = make_app(database_url, [*LINE, Revision("ccc333", "bbb222", upgrade=wait)])
    first = start(ini, "scratch", "--", "true")
    until(runs.exists)
    second = start(ini, "scratch", "--", "true")
    second.until_told("another run is making a scratch database that can be copied.")
    go.touch()
    assert ", migrated in " in first.finish().stderr
    assert ", copied in " in second.finish().stderr


def test_no_more_than_two_templates_of_a_database_are_kept(
    make_app: MakeApp, postgresql_url: str
) -> None:
    before = templates(postgresql_url)
    ini = make_app(postgresql_url, LINE)
    for target in ("aaa111", "bbb222", "base", "heads"):
        assert run(ini, "scratch", "--at", target, "--", "true").returncode == 0
    kin = {name.split("_")[2] for name in templates(postgresql_url) - before}
    assert len(kin) == 1
    assert len([name for name in templates(postgresql_url) if kin == {name.split("_")[2]}]) == 2


def templates(url: str) -> set[str]:
    found = rows(url, "SELECT datname FROM pg_database WHERE starts_with(datname, 'migrate_temp')")
    return {name for (name,) in found}


def wait_in_scratch(start: Start, ini: Path, ready: Path) -> Process:
    code = f"echo $DATABASE_URL > {ready}.part && mv {ready}.part {ready} && sleep 600"
    running = start(ini, "scratch", "--fresh", "--", "sh", "-c", code)
    until(ready.exists)
    return running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("nothing_is_left")
def test_it_is_dropped_after_a_signal(
    number: int, make_app: MakeApp, database_url: str, tmp_path: Path, start: Start
) -> None:
    running = wait_in_scratch(start, make_app(database_url, LINE), tmp_path / "ready")
    running.signal(number)
    result = running.finish()
    assert result.returncode == 128 + number
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("nothing_is_left")
def test_what_a_killed_run_has_left_is_dropped_by_the_next_and_what_is_in_use_is_not(
    make_app: MakeApp, database_url: str, tmp_path: Path, start: Start
) -> None:
    ini = make_app(database_url, LINE)
    before = left_over(database_url)
    killed = wait_in_scratch(start, ini, tmp_path / "killed")
    in_use = wait_in_scratch(start, ini, tmp_path / "in_use")
    killed.signal(signal.SIGKILL)
    killed.finish()
    until(lambda: run(ini, "scratch", "-q", "--fresh", "--", "true").returncode == 0)
    until(lambda: len(left_over(database_url) - before) == 1)
    used = (tmp_path / "in_use").read_text().strip()
    assert heads(used) == {"bbb222"}
    in_use.signal(signal.SIGTERM)
    assert in_use.finish().returncode == 143


@pytest.mark.usefixtures("nothing_is_left")
def test_a_revision_that_fails_leaves_no_database(make_app: MakeApp, database_url: str) -> None:
    again = "op.execute('CREATE TABLE a (id int)')"
    ini = make_app(database_url, [*LINE, Revision("ccc333", "bbb222", upgrade=again)])
    result = look(ini)
    assert (result.returncode, result.stdout) == (1, "")
    error, _, rest = result.stderr.partition("\n       ")
    assert error.startswith("Error: Revision ccc333 (a change) failed and was rolled back: ")
    assert rest.startswith(
        "The database stands at bbb222 (add b).\n"
        "       It was a scratch database, which is dropped. The configured one is as it was.\n"
        "Hint:  fix "
    )
    assert result.stderr.endswith(", then run the command again.\n")


def test_an_env_py_that_connects_by_itself_is_refused_before_it_writes(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    connect = f"__import__('psycopg2').connect({postgresql_url!r})"
    write_env(ini, foreign_env(engine=f"creator=lambda: {connect}"))
    result = invoke(ini, "scratch", "--", "true")
    assert result.returncode == 2
    assert result.stderr == (
        "Error: env.py opens its connections by itself (`creator=`), so a scratch database can't"
        " take its place. Nothing was written there.\n"
        "Hint:  let env.py open the database of `sqlalchemy.url`, with `create_engine` or"
        " `engine_from_config`.\n"
    )
    assert tables(postgresql_url) == set()


def test_an_env_py_of_several_databases_is_refused(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    ini = make_app(postgresql_url, LINE)
    other = "create_engine(engine.url.set(database='other')).connect().close()"
    write_env(ini, foreign_env(before=other))
    result = invoke(ini, "scratch", "--", "true")
    assert result.returncode == 2
    assert result.stderr.startswith(
        "Error: env.py opens several databases, so a scratch database can't take its place."
    )
    assert tables(postgresql_url) == set()


def test_a_user_who_may_make_none_is_told_the_grant(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        role = url.removeprefix("postgresql://").partition(":")[0]
        result = invoke(make_app(url, LINE), "scratch", "--", "true")
    assert result.returncode == 6
    assert result.stderr == (
        "Error: No scratch database can be made: permission denied to create database.\n"
        f"Hint:  `ALTER ROLE {role} CREATEDB` allows it; or name a server where this user may, with"
        " `--scratch-url`.\n"
    )


def test_each_role_has_templates_of_its_own(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    assert invoke(ini, "scratch", "--", "true").returncode == 0
    mine = "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = current_user"
    with plain_user(postgresql_server, postgresql_url) as url:
        role = url.removeprefix("postgresql://").partition(":")[0]
        postgresql.execute(postgresql_url, f"ALTER ROLE {role} CREATEDB")
        ini.write_text(ini.read_text().replace(f"//{postgresql.USER}:", f"//{role}:"))
        result = invoke(ini, "scratch", "--", "true")
        [(template,)] = rows(url, mine)
        postgresql.execute(url, f"DROP DATABASE {template}")
    assert result.returncode == 0, result.stderr


def test_the_scratch_url_makes_it_elsewhere(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        ini = make_app(url, LINE, {"migrate.scratch_url": postgresql_server})
        result = look(ini)
        assert result.returncode == 0, result.stderr
        by_option = look(make_app_again(ini, url), "--scratch-url", postgresql_server)
    assert result.stdout.startswith("a alembic_version b\n"), result.stderr
    assert by_option.stdout.startswith("a alembic_version b\n"), by_option.stderr
    assert postgresql.PASSWORD not in by_option.stderr


def make_app_again(ini: Path, url: str) -> Path:
    """Write the .ini file without `migrate.scratch_url`."""
    lines = ini.read_text().splitlines(keepends=True)
    ini.write_text("".join(line for line in lines if not line.startswith("migrate.")))
    return ini


def test_the_configured_database_as_the_scratch_url_is_refused(
    make_app: MakeApp, postgresql_url: str
) -> None:
    result = invoke(
        make_app(postgresql_url, LINE), "scratch", "--scratch-url", postgresql_url, "--", "true"
    )
    assert result.returncode == 2
    assert result.stderr == (
        "Error: The scratch URL names the configured database itself, where nothing may be made.\n"
        "Hint:  leave it out to make scratch databases on the same server, or name another.\n"
    )


def test_a_scratch_url_that_is_none_is_told(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, LINE, {"migrate.scratch_url": "nonsense"})
    result = invoke(ini, "scratch", "--", "true")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: The scratch URL is not a database URL.\nHint:  write `")


def test_sqlite_takes_no_scratch_url(make_app: MakeApp, sqlite_url: str) -> None:
    result = invoke(
        make_app(sqlite_url, LINE), "scratch", "--scratch-url", "sqlite:///x", "--", "true"
    )
    assert result.returncode == 2
    assert result.stderr == (
        "Error: A scratch URL is for PostgreSQL: a scratch database of SQLite is a file in the"
        " folder for temporary files.\n"
        "Hint:  leave out `--scratch-url`, or `migrate.scratch_url` in the .ini file.\n"
    )


def test_a_server_that_is_down_is_told(make_app: MakeApp) -> None:
    ini = make_app("postgresql://shop@127.0.0.1:9/shop", LINE)
    result = invoke(ini, "scratch", "--", "true")
    assert result.returncode == 6
    assert "Error: The database can't be used: connection to server at" in result.stderr


def test_a_database_that_is_in_use_is_dropped_all_the_same(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """A server that COMMAND has left in the background is cut off."""
    before = left_over(postgresql_url)
    code = "psql -c 'SELECT pg_sleep(60)' $DATABASE_URL >/dev/null 2>&1 & sleep 0.5"
    words = ["sh", "-c", code.replace("psql", postgresql.psql(), 1)]
    result = run(make_app(postgresql_url, LINE), "scratch", "-q", "--fresh", "--", *words)
    assert (result.returncode, result.stderr) == (0, "")
    assert left_over(postgresql_url) == before


def test_with_json_standard_output_has_nothing_of_the_command(
    make_app: MakeApp, sqlite_url: str
) -> None:
    words = ["sh", "-c", "echo hello; exit 3"]
    result = run(make_app(sqlite_url, LINE), "scratch", "--json", "--", *words)
    found = json.loads(result.stdout)
    assert result.returncode == found["exit_code"] == 3
    assert found["database"].endswith("/scratch.sqlite")
    assert found["rows"] == ["bbb222"]
    assert "hello" in result.stderr


def test_the_configured_database_may_be_locked_or_broken(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """Nothing of it is read."""
    change(postgresql_url, "CREATE TABLE alembic_version (nonsense int)")
    assert look(make_app(postgresql_url, LINE)).stdout.splitlines()[0] == "a alembic_version b"

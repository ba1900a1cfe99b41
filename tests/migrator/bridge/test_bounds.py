"""A look at a database that another session keeps locked, or that doesn't answer."""

import json
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.command import Result, invoke
from support.database import heads, rows
from support.history import MakeApp, Revision, create_table, foreign_env
from support.processes import Start, seconds_of, until, write_env
from support.proxy import proxied
from support.sessions import backends, session

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
]
ENVIRONMENTS = {"own": None, "foreign": foreign_env()}
COMMANDS = [
    ["current"],
    ["upgrade"],
    ["downgrade", "base"],
    ["stamp", "bbb222"],
    ["ensure-version"],
    ["history", "-i"],
    ["show", "current"],
    ["check"],
    ["upgrade", "--sql", "current:head"],
    ["revision", "--autogenerate", "-m", "more"],
]


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Keep everybody from the version table."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
        return
    with session(url, "LOCK TABLE alembic_version"):
        yield


def timed(*arguments: str | Path) -> tuple[Result, float]:
    found: list[Result] = []
    seconds = seconds_of(lambda: found.append(invoke(*arguments)))
    return found[0], seconds


@pytest.fixture(params=ENVIRONMENTS)
def ini(request: pytest.FixtureRequest, make_app: MakeApp, postgresql_url: str) -> Path:
    """An application whose version table exists, with each kind of env.py."""
    settings = {
        "alembic.target_metadata": "myapp.models:Base.metadata",
        "migrate.lock_timeout": "1.5",
    }
    ini = make_app(postgresql_url, LINE, settings)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    if env := ENVIRONMENTS[request.param]:
        write_env(ini, env)
    return ini


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_locked_version_table_is_given_up_in_time_and_its_holder_named(
    arguments: list[str], ini: Path, postgresql_url: str
) -> None:
    with locked(postgresql_url):
        result, seconds = timed(ini, *arguments)
    assert (result.returncode, result.stdout) == (6, ""), result.stderr
    assert 1.5 <= seconds < 5
    blocker = (
        r"pid \d+ \(shop, user deploy; idle in transaction for \d s\): LOCK TABLE alembic_version"
    )
    assert re.fullmatch(
        rf"(Warning: waiting 1\.5 s at most to read the database\. Blocked by {blocker}\n)?"
        r"Error: The database can't be read: another session has locked what has to be read, and"
        rf" kept it locked for 1\.5 s\.\n       Blocked by {blocker}\.\n"
        r"Hint:  run it again when that session has ended\.\n",
        result.stderr,
    ), result.stderr
    assert heads(postgresql_url) == {"aaa111"}


def test_history_is_told_without_its_marks(ini: Path, postgresql_url: str) -> None:
    with locked(postgresql_url):
        result, seconds = timed(ini, "history")
    assert result.returncode == 0
    assert seconds < 5
    assert result.stdout == "aaa111 -> bbb222 (head), add b\n<base> -> aaa111, add a\n"
    assert result.stderr.startswith(
        "Warning: no revision is marked as applied or pending. The database can't be read: another"
        " session has locked what has to be read, and kept it locked for 1.5 s.\n"
        "       Blocked by pid "
    )


@pytest.mark.parametrize("wait", ["0", "0.5"])
def test_a_run_waits_no_longer_than_for_another_run(
    wait: str, ini: Path, postgresql_url: str
) -> None:
    with locked(postgresql_url):
        result, seconds = timed(ini, "upgrade", "--lock-wait", wait)
    assert result.returncode == 6
    assert seconds < 1.5


def test_without_a_lock_timeout_the_wait_for_another_run_is_the_bound(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE, {"migrate.lock_timeout": "0", "migrate.lock_wait": "1.2"})
    invoke(ini, "upgrade")
    with locked(postgresql_url):
        result, seconds = timed(ini, "current")
    assert result.returncode == 6
    assert 1.2 <= seconds < 4
    assert "kept it locked for 1.2 s." in result.stderr


def test_without_any_setting_it_is_waited_for_five_seconds_though_a_statement_waits_less(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    invoke(ini, "upgrade")
    with locked(postgresql_url):
        for command in (["current"], ["stamp", "aaa111"]):
            result, seconds = timed(ini, *command)
            assert result.returncode == 6
            assert 5 <= seconds < 9
            assert "kept it locked for 5 s." in result.stderr


def test_a_lock_that_is_freed_in_time_is_waited_for(
    ini: Path, postgresql_url: str, start: Start
) -> None:
    with session(postgresql_url, "LOCK TABLE alembic_version") as holder:
        running = start(ini, "current", "--json")
        until(lambda: backends(postgresql_url, "wait_event_type = 'Lock'"))
        holder.rollback()
        result = running.finish()
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["pending"] == ["bbb222"]


@pytest.mark.parametrize("command", ["current", "upgrade", "stamp head", "check", "wait"])
def test_a_signal_ends_the_wait(command: str, ini: Path, postgresql_url: str, start: Start) -> None:
    ini.write_text(ini.read_text().replace("lock_timeout = 1.5", "lock_timeout = 60"))
    with locked(postgresql_url):
        running = start(ini, *command.split())
        until(lambda: backends(postgresql_url, "wait_event_type = 'Lock'"))
        time.sleep(0.5)  # past the quick answer
        begin = time.monotonic()
        running.signal(signal.SIGTERM)
        result = running.finish()
        assert time.monotonic() - begin < 2
        assert backends(postgresql_url, "wait_event_type = 'Lock'") == []
    assert result.returncode == 143
    assert "Traceback" not in result.stderr
    assert "Error: Terminated." in result.stderr


def test_a_look_leaves_no_timeout_behind(ini: Path, postgresql_url: str) -> None:
    """The run's own is for its session; a look's is for one transaction, in a pool of others."""
    asks = """\
    connection.rollback()
    cursor = connection.connection.cursor()
    cursor.execute("SHOW lock_timeout")
    print("left", *cursor.fetchone())
"""
    engine = 'connect_args={"options": "-c lock_timeout=7s"}'
    write_env(ini, foreign_env(engine=engine) + asks)
    assert "left 7s\n" in invoke(ini, "current").stderr


# `wait` takes as long as it is told to


@pytest.fixture
def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://deploy@127.0.0.1:{server.getsockname()[1]}/shop"


def in_time(ini: Path, status: int = 6) -> Result:
    result, seconds = timed(ini, "wait", "--timeout", "3")
    assert result.returncode == status, result.stderr
    assert 3 <= seconds < 4.5
    return result


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_wait_ends_in_time_on_a_silent_server(env: str, make_app: MakeApp, silent: str) -> None:
    ini = make_app(f"{silent}?connect_timeout=20", LINE, {"migrate.wait_db": "60"})
    if code := ENVIRONMENTS[env]:
        write_env(ini, code)
    assert "timeout expired" in in_time(ini).stderr


def test_wait_ends_in_time_on_a_locked_version_table(ini: Path, postgresql_url: str) -> None:
    with locked(postgresql_url):
        assert "Blocked by pid" in in_time(ini).stderr


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_wait_ends_in_time_on_a_locked_file(env: str, make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    invoke(ini, "upgrade")
    if code := ENVIRONMENTS[env]:
        write_env(ini, code)
    with locked(sqlite_url):
        assert "database is locked" in in_time(ini).stderr


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_wait_ends_in_time_on_a_server_that_has_gone_silent(
    env: str, make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    with proxied(postgresql_url) as proxy:
        ini = make_app(proxy.url, LINE)
        invoke(ini, "upgrade", "aaa111")
        if code := ENVIRONMENTS[env]:
            write_env(ini, code)
        begin = time.monotonic()
        running = start(ini, "wait", "--timeout", "5")
        running.until_told("waiting. 1 revision pending")
        proxy.is_swallowing = True
        result = running.finish()
        assert 5 <= time.monotonic() - begin < 7.5
    assert result.returncode == 6
    assert "Traceback" not in result.stderr
    assert rows(postgresql_url, "SELECT * FROM alembic_version") == [("aaa111",)]

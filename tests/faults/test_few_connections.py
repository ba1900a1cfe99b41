"""A server that is short of connections, and many runs that want some."""

import signal
import time
from collections.abc import Iterator

import psycopg2
import pytest
from support import postgresql
from support.command import Result, invoke
from support.database import heads
from support.faults import Figure, Line, times
from support.history import MakeApp, foreign_env
from support.pgbouncer import PROGRAM, pooled
from support.processes import Start, seconds_of, until, write_env
from support.sessions import backends, plain_user, session

FOREIGN = foreign_env()


@pytest.fixture
def small_server() -> Iterator[postgresql.Server]:
    with postgresql.restartable_server() as server:
        postgresql.execute(
            server.admin_url,
            "ALTER SYSTEM SET max_connections = 8",
            "ALTER SYSTEM SET max_wal_senders = 0",
        )
        server.stop()
        server.start()
        yield server


@pytest.mark.parametrize("env", [None, FOREIGN], ids=["own", "foreign"])
def test_runs_wait_for_every_connection_that_they_need(
    env: str | None,
    small_server: postgresql.Server,
    make_app: MakeApp,
    start: Start,
    figure: Figure,
) -> None:
    line = Line(20)
    ini = make_app(small_server.admin_url, line.revisions())
    if env:
        write_env(ini, env)
    count = times(12, 64)
    running = [
        start(ini, "upgrade", "--wait-db", "120", "--lock-wait", "120") for _ in range(count)
    ]
    results = []
    seconds = seconds_of(lambda: results.extend(each.finish(180) for each in running))
    assert {result.returncode for result in results} == {0}, [
        result.stderr for result in results if result.returncode
    ]
    line.check_complete(small_server.admin_url)
    figure(f"{count} runs on a server of 8 connections: all exit 0 after {seconds:.0f} s")


def test_a_role_that_may_have_too_few_is_told_how_many_a_run_needs(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        role = url.removeprefix("postgresql://").partition(":")[0]
        postgresql.execute(postgresql_url, f"ALTER ROLE {role} CONNECTION LIMIT 1")
        ini = make_app(url, Line(2).revisions())
        refused = invoke(ini, "upgrade", "--wait-db", "0.5")
        postgresql.execute(postgresql_url, f"ALTER ROLE {role} CONNECTION LIMIT 2")
        done = invoke(ini, "upgrade")
    assert refused.returncode == 6
    assert refused.stderr.splitlines()[-2].endswith(f'too many connections for role "{role}".')
    assert refused.stderr.splitlines()[-1] == (
        "Hint:  try again when others have disconnected. A run needs two connections at once, one"
        " of them for the lock. Where there is only one, set `migrate.lock = session`."
    )
    assert done.returncode == 0, done.stderr


def test_the_connection_of_the_migration_is_waited_for(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str, start: Start
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        role = url.removeprefix("postgresql://").partition(":")[0]
        ini = make_app(url, Line(2).revisions())
        postgresql.execute(postgresql_url, f"ALTER ROLE {role} CONNECTION LIMIT 2")
        with session(url, "SELECT 1"):
            running = start(ini, "upgrade", "--wait-db", "30")
            running.until_told("waiting for the database. The database can't be used: ")
        result = running.finish()
        assert result.returncode == 0, result.stderr
        assert heads(postgresql_url) == {"r0001"}
    assert "too many connections for role" in result.stderr
    assert result.stderr.count("Warning:") == 1


def test_a_run_that_waits_for_its_second_connection_gives_the_first_back(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str, start: Start
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        role = url.removeprefix("postgresql://").partition(":")[0]
        ini = make_app(url, Line(2).revisions())
        postgresql.execute(postgresql_url, f"ALTER ROLE {role} CONNECTION LIMIT 2")
        with session(url, "SELECT 1"):
            running = start(ini, "upgrade", "--wait-db", "30")
            running.until_told("waiting for the database. The database can't be used: ")
            until(lambda: may_connect(url))
        result = running.finish()
    assert result.returncode == 0, result.stderr


def may_connect(url: str) -> bool:
    """Tell whether the role may open one more connection now."""
    try:
        postgresql.execute(url, "SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True


@pytest.mark.skipif(not PROGRAM, reason="there is no pgbouncer")
def test_a_signal_ends_the_wait_for_a_pool_of_one(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    with pooled(postgresql_url, "session", "default_pool_size = 1") as url:
        running = start(make_app(url, Line(2).revisions()), "upgrade")
        # The second connection waits for the first one's end.
        until(lambda: backends(postgresql_url, "application_name LIKE 'myapp-migrate%'"))
        time.sleep(1)
        begin = time.monotonic()
        running.signal(signal.SIGTERM)
        result = running.finish()
        assert time.monotonic() - begin < 15
    assert result.returncode == 143
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(not PROGRAM, reason="there is no pgbouncer")
def test_a_pool_of_one_is_given_up_in_time(
    make_app: MakeApp, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("myapp.migrator.lock.postgresql._SILENCE", 2.0)
    with pooled(postgresql_url, "session", "default_pool_size = 1") as url:
        found: list[Result] = []
        ini = make_app(url, Line(2).revisions())
        seconds = seconds_of(lambda: found.append(invoke(ini, "upgrade")))
    assert found[0].returncode == 6
    assert 2 <= seconds < 10
    assert found[0].stderr == (
        "Error: The database can't be used: the server did not answer within 2 s.\n"
        "Hint:  is the server, or a pooler before it, stopped, overloaded, or short of"
        " connections? A run needs two connections at once, one of them for the lock. Where there"
        " is only one, set `migrate.lock = session`.\n"
    )

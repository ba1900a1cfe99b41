"""Servers that stop answering: what waits for them ends all the same."""

import os
import signal
import time
from collections.abc import Iterator

import psycopg2
import pytest
from support.command import Result, invoke
from support.history import MakeApp, Revision, create_table, foreign_env
from support.processes import Process, Start, until, write_env
from support.proxy import Proxy, proxied
from support.sessions import backends, is_running, session, until_running

TABLE = Revision("aaa111", message="add a", **create_table("a"))
SLEEPING = Revision("bbb222", "aaa111", "sleep", upgrade="op.execute('SELECT pg_sleep(600)')")
FOREIGN = foreign_env()
ENVIRONMENTS = pytest.mark.parametrize("env", [None, FOREIGN], ids=["own", "foreign"])


@pytest.fixture
def proxy(postgresql_url: str) -> Iterator[Proxy]:
    with proxied(postgresql_url) as proxy:
        yield proxy


def timed(process: Process, timeout: float = 60) -> tuple[Result, float]:
    begin = time.monotonic()
    result = process.finish(timeout)
    assert "Traceback" not in result.stderr
    return result, time.monotonic() - begin


@ENVIRONMENTS
def test_a_second_signal_ends_a_run_at_once_whose_server_has_gone_silent(
    env: str | None, make_app: MakeApp, proxy: Proxy, postgresql_url: str, start: Start
) -> None:
    ini = make_app(proxy.url, [TABLE, SLEEPING])
    if env:
        write_env(ini, env)
    running = start(ini, "upgrade")
    until_running(postgresql_url, "SELECT pg_sleep%")
    proxy.is_swallowing = True
    running.signal(signal.SIGTERM)
    time.sleep(0.5)
    assert running.is_running
    running.signal(signal.SIGTERM)
    result, seconds = timed(running)
    assert result.returncode == 143
    assert seconds < 1


def test_one_signal_ends_it_within_half_a_minute(
    make_app: MakeApp, proxy: Proxy, postgresql_url: str, start: Start
) -> None:
    ini = make_app(proxy.url, [TABLE, SLEEPING])
    running = start(ini, "upgrade")
    until_running(postgresql_url, "SELECT pg_sleep%")
    proxy.is_swallowing = True
    running.signal(signal.SIGTERM)
    result, seconds = timed(running)
    assert result.returncode == 143
    assert seconds < 40  # half a minute, on a busy machine
    assert (
        "Error: Terminated in revision bbb222 (sleep). Where the database stands can't be told: The"
        " database can't be used: "
    ) in result.stderr


@pytest.mark.skipif(
    "MYAPP_TEST_POSTGRESQL_URL" in os.environ, reason="it stops the server's process"
)
def test_a_signal_ends_a_statement_whose_server_process_is_frozen(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    running = start(make_app(postgresql_url, [TABLE, SLEEPING]), "upgrade")
    until_running(postgresql_url, "SELECT pg_sleep%")
    (pid,) = backends(postgresql_url, "query LIKE 'SELECT pg_sleep%'")
    os.kill(pid, signal.SIGSTOP)
    try:
        running.signal(signal.SIGTERM)
        result, seconds = timed(running)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result.returncode == 143
    assert 5 <= seconds < 15
    assert result.stderr.splitlines()[-2] == (
        "Error: Terminated in revision bbb222 (sleep). The database stands at aaa111 (add a). Of"
        " bbb222, something may stay: its connection was lost, and what became of its transaction"
        " isn't known."
    )
    until(lambda: not is_running(postgresql_url, "SELECT pg_sleep%"))


def test_a_statement_that_takes_long_is_not_touched(make_app: MakeApp, postgresql_url: str) -> None:
    """The bounds are for questions of a moment, and for what follows a signal."""
    from myapp.migrator.database.silence import Silence

    silence = Silence(1.0)
    with silence.bounded(), session(postgresql_url) as connection, connection.cursor() as cursor:
        silence.add(connection)
        for _ in range(8):
            cursor.execute("SELECT pg_sleep(0.15)")
            time.sleep(0.1)
        assert not silence.is_over
        with pytest.raises(psycopg2.OperationalError, match="canceling statement"):
            cursor.execute("SELECT pg_sleep(60)")
    assert silence.is_over


@pytest.mark.parametrize("env", [None, FOREIGN], ids=["own", "foreign"])
@pytest.mark.parametrize("command", ["upgrade", "current -v", "stamp head", "check"])
def test_every_connection_notices_that_its_server_is_gone(
    command: str,
    env: str | None,
    make_app: MakeApp,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = Revision("bbb222", "aaa111", upgrade="op.execute('SELECT pg_sleep(1)')")
    ini = make_app(
        f"{postgresql_url}&keepalives_count=4",
        [TABLE, waits],
        {"alembic.target_metadata": "myapp.models:Base.metadata"},
    )
    if env:
        write_env(ini, env)
    opened: list[dict[str, str]] = []
    connect = psycopg2.connect

    def record(*args: object, **kwargs: object) -> object:
        connection = connect(*args, **kwargs)
        opened.append(connection.info.dsn_parameters)
        return connection

    monkeypatch.setattr("psycopg2.connect", record)
    invoke(ini, *command.split())
    assert len(opened) >= (4 if command == "upgrade" else 1)
    for parameters in opened:
        wanted = {"idle": "10", "interval": "5", "count": "4"}
        assert {name: parameters[f"keepalives_{name}"] for name in wanted} == wanted
        assert parameters["keepalives"] == "1"
        assert parameters["tcp_user_timeout"] == "20000"
        assert parameters["connect_timeout"] == "10"

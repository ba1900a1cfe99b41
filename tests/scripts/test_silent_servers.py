"""Servers that stop answering: what waits for them ends all the same."""

import signal
import time
from collections.abc import Iterator

import pytest
from support.command import Result
from support.history import MakeApp, Revision, create_table
from support.processes import Process, Start, write_env
from support.proxy import Proxy, proxied
from support.sessions import until_running

TABLE = Revision("aaa111", message="add a", **create_table("a"))
SLEEPING = Revision("bbb222", "aaa111", "sleep", upgrade="op.execute('SELECT pg_sleep(600)')")
FOREIGN = """\
from alembic import context
from sqlalchemy import create_engine
with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
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


@ENVIRONMENTS
def test_one_signal_ends_it_within_half_a_minute(
    env: str | None, make_app: MakeApp, proxy: Proxy, postgresql_url: str, start: Start
) -> None:
    ini = make_app(proxy.url, [TABLE, SLEEPING])
    if env:
        write_env(ini, env)
    running = start(ini, "upgrade")
    until_running(postgresql_url, "SELECT pg_sleep%")
    proxy.is_swallowing = True
    running.signal(signal.SIGTERM)
    result, seconds = timed(running)
    assert result.returncode == 143
    assert seconds < 30
    assert (
        "Error: Terminated in revision bbb222 (sleep). Where the database stands can't be told: The"
        " database can't be used: "
    ) in result.stderr

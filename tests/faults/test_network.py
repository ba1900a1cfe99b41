"""A network that goes away: what is sent is dropped, and nobody says so."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from support.command import SCRIPTS
from support.faults import IS_FULL, Figure
from support.history import MakeApp, Revision, create_table, foreign_env
from support.processes import write_env
from support.proxy import proxied
from support.sessions import until_running

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", "sleep", upgrade="op.execute('SELECT pg_sleep(600)')"),
]
FOREIGN = foreign_env()


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def network() -> Iterator[tuple[str, str, str]]:
    """Yield a network namespace, the link that leads there, and this end's address."""
    name, number = f"mm{os.getpid()}", os.getpid() % 250
    here, there = f"{name}a", f"{name}b"
    ip("netns", "add", name)
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there)
        ip("link", "set", there, "netns", name)
        ip("address", "add", f"10.213.{number}.1/24", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "address", "add", f"10.213.{number}.2/24", "dev", there)
        ip("-n", name, "link", "set", there, "up")
        yield name, here, f"10.213.{number}.1"
    finally:
        ip("netns", "delete", name)


def can_have_networks() -> bool:
    if not IS_FULL or os.geteuid() or not shutil.which("ip"):
        return False
    with suppress(subprocess.CalledProcessError), network():
        return True
    return False


@pytest.mark.skipif(not IS_FULL, reason="it takes a minute: MYAPP_FAULTS=full")
@pytest.mark.skipif(not can_have_networks(), reason="only root can make a network of its own")
@pytest.mark.parametrize("env", [FOREIGN], ids=["foreign"])
def test_a_run_ends_soon_when_the_network_is_gone(
    env: str, make_app: MakeApp, postgresql_url: str, figure: Figure
) -> None:
    with network() as (name, link, host), proxied(postgresql_url, host) as proxy:
        ini = make_app(proxy.url, LINE)
        write_env(ini, env)
        with subprocess.Popen(
            ["ip", "netns", "exec", name, SCRIPTS / "myapp-migrate", ini, "upgrade"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            try:
                until_running(postgresql_url, "SELECT pg_sleep%")
                ip("link", "set", link, "down")
                begin = time.monotonic()
                _, story = running.communicate(timeout=60)
            finally:
                running.kill()
    seconds = time.monotonic() - begin
    assert running.returncode == 6, story
    assert seconds < 45
    assert "Error: Revision bbb222 (sleep) failed: could not receive data from server" in story
    assert "Where the database stands can't be told: " in story
    figure(f"the network goes away in mid-statement: exit 6 after {seconds:.0f} s")

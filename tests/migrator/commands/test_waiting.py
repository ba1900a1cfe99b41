"""Waiting for a database that is not up yet, and for one that is not migrated yet."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest
from support import postgresql
from support.ahead import HINT, message
from support.command import Result, invoke, run
from support.database import change, heads, tables
from support.history import MakeApp, Revision, create_table
from support.processes import Start, seconds_of, until

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
]
REFUSED = "postgresql://deploy@/shop?host=/nowhere"
COMMANDS = [
    ["upgrade"],
    ["downgrade", "base"],
    ["stamp", "aaa111"],
    ["ensure-version"],
    ["current"],
    ["history", "-i"],
    ["show", "current"],
    ["check"],
    ["revision", "--autogenerate", "-m", "more"],
    ["edit", "current"],
]


def timed(*arguments: str | Path) -> tuple[Result, float]:
    found: list[Result] = []
    seconds = seconds_of(lambda: found.append(invoke(*arguments)))
    return found[0], seconds


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_that_connects_waits_for_the_database(
    arguments: list[str], make_app: MakeApp, tmp_path: Path
) -> None:
    settings = {"alembic.target_metadata": "myapp.models:Base.metadata"}
    ini = make_app(REFUSED, LINE, settings)
    before = set(tmp_path.rglob("*.py"))
    result, seconds = timed(ini, arguments[0], "--wait-db", "0.4", *arguments[1:])
    assert result.returncode == 6, result.stderr
    assert 0.4 <= seconds < 5
    warning, error, hint = result.stderr.splitlines()
    assert warning.startswith("Warning: waiting for the database. The database can't be used: ")
    assert error.startswith("Error: The database can't be used: connection to server on socket")
    assert hint == "Hint:  is the server running, and are host and port in `sqlalchemy.url` right?"
    assert set(tmp_path.rglob("*.py")) == before


def test_the_wait_may_stand_in_the_ini_file(make_app: MakeApp) -> None:
    ini = make_app(REFUSED, LINE, {"migrate.wait_db": "0.4"})
    assert timed(ini, "current")[1] >= 0.4
    assert timed(ini, "current", "--wait-db", "0")[1] < 0.4


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://deploy@nowhere.invalid/shop",
        "postgresql://deploy@127.0.0.1:1,127.0.0.1:2/shop",
        "postgresql://deploy@127.0.0.1:1/shop",
        REFUSED,
    ],
    ids=["no such host", "two hosts", "refused", "no socket"],
)
def test_what_may_pass_is_waited_for(url: str, make_app: MakeApp) -> None:
    result, seconds = timed(make_app(url, LINE), "upgrade", "--wait-db", "0.5")
    assert result.returncode == 6
    assert seconds >= 0.5
    assert "Warning: waiting for the database. " in result.stderr


def test_a_database_that_is_yet_to_be_made_is_waited_for(
    make_app: MakeApp, postgresql_server: str, start: Start
) -> None:
    url = urlsplit(postgresql_server)._replace(path=f"/t_{uuid4().hex[:12]}").geturl()
    running = start(make_app(url, LINE), "upgrade", "--wait-db", "30")
    running.until_told("waiting for the database. ")
    postgresql.execute(postgresql_server, f"CREATE DATABASE {urlsplit(url).path[1:]}")
    result = running.finish()
    assert result.returncode == 0, result.stderr
    assert heads(url) == {"bbb222"}
    postgresql.drop_database(postgresql_server, url)


def final_urls(url: str) -> dict[str, str]:
    password = quote(postgresql.PASSWORD, safe="")
    return {
        "wrong password": url.replace(password, "wrong"),
        "no password": url.replace(f":{password}", ""),
        "no such user": url.replace("deploy:", "nobody-here:"),
        "one of two hosts": url.replace(password, "wrong").replace("host=", "host=/nowhere,"),
    }


@pytest.mark.parametrize("which", final_urls("postgresql://"))
def test_what_will_not_pass_fails_at_once(
    which: str, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(final_urls(postgresql_url)[which], LINE)
    result, seconds = timed(ini, "upgrade", "--wait-db", "20")
    assert result.returncode == 6
    assert seconds < 5
    assert "waiting" not in result.stderr
    result, seconds = timed(ini, "wait", "--timeout", "20")
    assert result.returncode == 6
    assert seconds < 5


@pytest.fixture
def server() -> Iterator[postgresql.Server]:
    with postgresql.restartable_server() as server:
        yield server


def test_an_upgrade_goes_on_once_the_server_is_up(
    make_app: MakeApp, server: postgresql.Server, start: Start
) -> None:
    ini = make_app(server.admin_url, LINE)
    server.stop()
    running = start(ini, "upgrade", "--wait-db", "30")
    running.until_told("waiting for the database. ")
    server.start()
    result = running.finish()
    assert result.returncode == 0, result.stderr
    assert heads(server.admin_url) == {"bbb222"}


def test_a_server_that_is_starting_up_is_waited_for(
    make_app: MakeApp, server: postgresql.Server, start: Start
) -> None:
    ini = make_app(server.admin_url, LINE)
    server.stop()
    # It asks a slow archive for its last changes, as after a restore.
    thread = threading.Thread(target=server.recover, args=("sleep 1; false",))
    thread.start()
    until(lambda: "the database system is " in invoke(ini, "current").stderr)
    running = start(ini, "upgrade", "--wait-db", "30")
    running.until_told("waiting for the database. The database can't be used: ")
    result = running.finish()
    thread.join()
    assert result.returncode == 0, result.stderr
    assert heads(server.admin_url) == {"bbb222"}


# `wait`


def test_waiting_for_a_migrated_database_ends_at_once(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(database_url, LINE)
    invoke(ini, "upgrade")
    result, seconds = timed(ini, "wait", "--timeout", "30")
    assert (result.returncode, result.stdout, result.stderr) == (0, "bbb222 (head), add b\n", "")
    assert seconds < 5


@pytest.mark.parametrize("first", ["base", "aaa111"])
def test_a_database_that_is_not_migrated_in_time_is_status_3(
    first: str, make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    ini = make_app(database_url, LINE)
    if first != "base":
        invoke(ini, "upgrade", first)
    result, seconds = timed(ini, "wait", "--timeout", "0.3")
    pending, standing = ("1 revision", "aaa111 (add a)")
    if first == "base":
        pending, standing = "2 revisions", "base (no revision)"
    assert (result.returncode, result.stdout) == (3, "")
    assert re.sub(r"0\.\d", "0.3", result.stderr) == (
        f"Warning: waiting. {pending} pending: the database stands at {standing}.\n"
        f"Error: {pending} pending: the database stands at {standing}.\n"
        "       Waited 0.3 seconds.\n"
        f"Hint:  apply them with `myapp-migrate {ini} upgrade`.\n"
    )
    assert seconds >= 0.3
    assert "sqlite" not in database_url or (tmp_path / "test.sqlite").exists() == (first != "base")


def test_a_wait_ends_when_another_process_has_migrated_the_database(
    make_app: MakeApp, database_url: str, start: Start
) -> None:
    ini = make_app(database_url, LINE)
    waiting = start(ini, "wait", "--timeout", "30")
    waiting.until_told("waiting. 2 revisions pending")
    begin = time.monotonic()
    assert run(ini, "upgrade").returncode == 0
    result = waiting.finish()
    assert time.monotonic() - begin < 10
    assert (result.returncode, result.stdout) == (0, "bbb222 (head), add b\n")


def test_a_wait_outlasts_a_server_that_is_not_up_yet(
    make_app: MakeApp, server: postgresql.Server, start: Start
) -> None:
    ini = make_app(server.admin_url, LINE)
    invoke(ini, "upgrade")
    server.stop()
    waiting = start(ini, "wait", "--timeout", "30")
    waiting.until_told("waiting. The database can't be used: ")
    server.start()
    assert waiting.finish().returncode == 0


def test_a_database_that_is_never_up_is_status_6(make_app: MakeApp) -> None:
    result, seconds = timed(make_app(REFUSED, LINE), "wait", "--timeout", "0.3")
    assert result.returncode == 6
    assert seconds >= 0.3
    assert re.search(r"\n +Waited \d\.\d seconds\.\nHint:  is the server ", result.stderr)


def test_a_wait_of_no_seconds_has_waited_for_nothing(make_app: MakeApp, sqlite_url: str) -> None:
    result = invoke(make_app(sqlite_url, LINE), "wait", "--timeout", "0")
    assert (result.returncode, "Waited" in result.stderr) == (3, False)


# A database that newer code has migrated


@pytest.fixture
def ahead(make_app: MakeApp, database_url: str) -> Path:
    ini = make_app(database_url, [*LINE, Revision("ccc333", "bbb222", **create_table("c"))])
    invoke(ini, "upgrade")
    (ini.parent / "migrations/versions/ccc333_.py").unlink()
    return ini


AHEAD = (
    f"Error: {message('ccc333')}\n"
    f"Hint:  {HINT} If this code is to run on it, add `--allow-ahead`.\n"
)


@pytest.mark.parametrize("arguments", [["upgrade"], ["wait", "--timeout", "30"]], ids=str)
def test_a_database_ahead_of_the_code_is_status_7_at_once(
    arguments: list[str], ahead: Path, database_url: str
) -> None:
    result, seconds = timed(ahead, *arguments)
    told = AHEAD.replace("{cmd}", f"myapp-migrate {ahead}")
    assert (result.returncode, result.stdout, result.stderr) == (7, "", told)
    assert seconds < 5
    assert heads(database_url) == {"ccc333"}


def test_it_is_accepted_on_demand(ahead: Path, database_url: str) -> None:
    upgraded = invoke(ahead, "upgrade", "--allow-ahead")
    waited = invoke(ahead, "wait", "--allow-ahead", "--timeout", "30")
    document = json.loads(invoke(ahead, "upgrade", "--allow-ahead", "--json").stdout)
    assert (upgraded.returncode, waited.returncode) == (0, 0), upgraded.stderr + waited.stderr
    assert "ccc333" in upgraded.stdout
    assert "ccc333" in waited.stdout
    assert (document["ok"], document["after"]) == (True, ["ccc333"])
    assert heads(database_url) == {"ccc333"}


def test_a_database_that_is_behind_is_migrated_with_the_option_all_the_same(
    make_app: MakeApp, database_url: str
) -> None:
    assert invoke(make_app(database_url, LINE), "upgrade", "--allow-ahead").returncode == 0
    assert heads(database_url) == {"bbb222"}


def test_a_database_that_gets_ahead_while_the_lock_is_waited_for_is_accepted(
    make_app: MakeApp, sqlite_url: str, start: Start
) -> None:
    from myapp.migrator.config import run_context
    from myapp.migrator.lock import writer_lock

    ini = make_app(sqlite_url, LINE)
    invoke(ini, "upgrade", "aaa111")
    with writer_lock(run_context(ini), lambda sentence: None):
        accepting, refusing = start(ini, "upgrade", "--allow-ahead"), start(ini, "upgrade")
        for process in (accepting, refusing):
            process.until_told("waiting for another run")
        change(sqlite_url, "UPDATE alembic_version SET version_num = 'ccc333'")
    assert accepting.finish().returncode == 0
    assert refusing.finish().returncode == 7
    assert tables(sqlite_url) == {"a", "alembic_version"}


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://deploy@127.0.0.1:{server.getsockname()[1]}/shop"


NO_ANSWER = (
    "Hint:  are host and port in `{}` right, and does no firewall drop what is sent there? With"
    " `?connect_timeout=30` it waits longer.\n"
)


def test_a_server_that_never_answers_is_given_up_after_ten_seconds(
    make_app: MakeApp, silent: str, postgresql_url: str, start: Start, tmp_path: Path
) -> None:
    begin = time.monotonic()
    ini = make_app(silent, LINE)
    other = ini.with_name("other.ini")
    url, lock_url = (each.replace("%", "%%") for each in (postgresql_url, silent))
    text = ini.read_text().replace(silent.replace("%", "%%"), url)
    other.write_text(f"{text}migrate.lock_url = {lock_url}\n")
    # The quick answer of `current` is given up before.
    started = start(ini, "stamp", "heads"), start(other, "upgrade"), start(ini, "current")
    results = [each.finish() for each in started]
    assert 10 <= time.monotonic() - begin < 30
    for result, key in zip(
        results, ["sqlalchemy.url", "migrate.lock_url", "sqlalchemy.url"], strict=True
    ):
        assert (result.returncode, result.stdout) == (6, "")
        assert "timeout expired" in result.stderr
        assert result.stderr.endswith(NO_ANSWER.format(key))
    assert tables(postgresql_url) == set()


@pytest.mark.parametrize("arguments", [["upgrade"], ["current"], ["stamp", "heads"]], ids=" ".join)
def test_the_url_may_say_how_long_the_server_has(
    arguments: list[str], make_app: MakeApp, silent: str
) -> None:
    result, seconds = timed(make_app(f"{silent}?connect_timeout=2", LINE), *arguments)
    assert (result.returncode, "timeout expired" in result.stderr) == (6, True)
    assert seconds < 9


def test_so_may_the_variable_of_libpq(
    make_app: MakeApp, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    result, seconds = timed(make_app(silent, LINE), "stamp", "heads")
    assert (result.returncode, "timeout expired" in result.stderr) == (6, True)
    assert seconds < 9


def test_a_server_that_does_not_answer_yet_is_waited_for(make_app: MakeApp, silent: str) -> None:
    ini = make_app(f"{silent}?connect_timeout=2", LINE)
    result, seconds = timed(ini, "stamp", "heads", "--wait-db", "2.5")
    assert result.returncode == 6
    assert result.stderr.startswith("Warning: waiting for the database. The database can't be used")
    assert 2.5 <= seconds < 10

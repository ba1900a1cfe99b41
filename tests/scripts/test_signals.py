"""Ctrl-C, SIGTERM and SIGHUP, sent to real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import SCRIPTS, Result, invoke, run
from support.database import change, heads, rows, tables
from support.examples import pairs
from support.history import MakeApp, Revision, create_table
from support.processes import Process, Start, until
from support.sessions import is_running, lock_backends, session, until_running

from myapp.migrator.config import run_context
from myapp.migrator.lock import writer_lock

TABLE = Revision("aaa111", message="add a", **create_table("a"))
SLEEPING = Revision(
    "bbb222",
    "aaa111",
    "sleep",
    upgrade="op.execute('CREATE TABLE b (id int)')\nop.execute('SELECT pg_sleep(600)')",
)
ENDLESS = Revision(
    "bbb222",
    "aaa111",
    "count",
    upgrade="""\
    op.execute("CREATE TABLE b (id int)")
    import pathlib
    pathlib.Path(op.get_bind().engine.url.database + ".reached").touch()
    op.execute(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    )
    """,
)
ALL = [
    (signal.SIGINT, 130, "Interrupted"),
    (signal.SIGTERM, 143, "Terminated"),
    (signal.SIGHUP, 129, "Hung up"),
]
SIGNALS = pytest.mark.parametrize(("number", "status", "word"), ALL, ids=str)


@pytest.fixture(autouse=True)
def _no_nohup() -> Iterator[None]:
    """Let the processes that are started have no SIGHUP ignored, however pytest was started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def ends(process: Process, number: int, within: float = 5) -> Result:
    """Send a signal and return how the process ended, which must not take long."""
    begin = time.monotonic()
    process.signal(number)
    result = process.finish()
    assert time.monotonic() - begin < within
    assert "Traceback" not in result.stderr
    return result


@SIGNALS
def test_a_statement_is_cancelled_on_the_server_and_its_revision_rolled_back(
    number: int, status: int, word: str, make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    running = start(make_app(postgresql_url, [TABLE, SLEEPING]), "upgrade")
    until_running(postgresql_url, "SELECT pg_sleep%")
    result = ends(running, number)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.splitlines()[1:] == [
        f"Error: {word} in revision bbb222 (sleep). The database stands at aaa111 (add a)."
    ]
    assert not is_running(postgresql_url, "SELECT pg_sleep%")
    until(lambda: not lock_backends(postgresql_url), 2)
    assert heads(postgresql_url) == {"aaa111"}
    assert "b" not in tables(postgresql_url)


@SIGNALS
def test_so_is_one_of_sqlite(
    number: int,
    status: int,
    word: str,
    make_app: MakeApp,
    sqlite_url: str,
    start: Start,
    tmp_path: Path,
) -> None:
    ini = make_app(sqlite_url, [TABLE, ENDLESS])
    running = start(ini, "upgrade")
    until((tmp_path / "test.sqlite.reached").exists)
    time.sleep(0.1)
    result = ends(running, number)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.splitlines()[1:] == [
        f"Error: {word} in revision bbb222 (count). The database stands at aaa111 (add a)."
    ]
    assert tables(sqlite_url) == {"a", "alembic_version"}
    assert invoke(ini, "downgrade", "base", "--lock-wait", "0").returncode == 0


def test_an_index_that_is_built_outside_a_transaction_is_told_as_invalid(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    concurrently = Revision(
        "bbb222",
        "aaa111",
        "index a",
        upgrade="""\
        op.execute("COMMENT ON TABLE a IS 'indexed'")
        with op.get_context().autocommit_block():
            op.execute('CREATE INDEX CONCURRENTLY ix_a ON a (id)')
        """,
    )
    ini = make_app(postgresql_url, [TABLE, concurrently], {"migrate.lock_timeout": "0"})
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, "INSERT INTO a VALUES (1)"):
        running = start(ini, "upgrade", "--json")
        until_running(postgresql_url, "CREATE INDEX CONCURRENTLY%")
        time.sleep(0.2)
        result = ends(running, signal.SIGTERM)
    assert result.returncode == 143
    error = json.loads(result.stdout)["error"]
    assert error["message"] == (
        "Terminated in revision bbb222 (index a). The database stands at aaa111 (add a). Of bbb222,"
        " this was committed and stays:\n  COMMENT ON TABLE a IS 'indexed'\n"
        "The list may not be complete.\n"
        "Left invalid, so that no query uses it: index ix_a."
    )
    assert (error["rows"], error["invalid_indexes"]) == (["aaa111"], ["ix_a"])
    assert error["committed"] == ["COMMENT ON TABLE a IS 'indexed'"]


@pytest.mark.parametrize(
    ("sent", "arguments"), pairs(ALL, [["upgrade"], ["stamp", "bbb222"]]), ids=str
)
def test_a_wait_for_the_lock_ends(
    sent: tuple[int, int, str],
    arguments: list[str],
    make_app: MakeApp,
    database_url: str,
    start: Start,
) -> None:
    number, status, word = sent
    ini = make_app(database_url, [TABLE, Revision("bbb222", "aaa111")])
    invoke(ini, "upgrade", "aaa111")
    with writer_lock(run_context(ini), lambda sentence: None):
        waiting = start(ini, *arguments)
        waiting.until_told("waiting for another run")
        result = ends(waiting, number)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.splitlines()[1:] == [
        f"Error: {word}. The database stands at aaa111 (add a)."
    ]


@pytest.mark.parametrize(
    ("sent", "retried"),
    pairs(
        ALL,
        [
            ({"migrate.retries": "10"}, "try 4 of 11 in "),
            ({}, ", or later, when the lock is free"),
        ],
    ),
)
def test_the_pause_before_another_try_ends(
    sent: tuple[int, int, str],
    retried: tuple[dict[str, str], str],
    make_app: MakeApp,
    postgresql_url: str,
    start: Start,
) -> None:
    (number, status, word), (settings, told) = sent, retried
    alter = Revision("bbb222", "aaa111", "add y", upgrade="op.execute('ALTER TABLE a ADD y int')")
    ini = make_app(postgresql_url, [TABLE, alter], {"migrate.lock_timeout": "0.1", **settings})
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, "SELECT * FROM a"):
        running = start(ini, "upgrade")
        running.until_told(told)
        result = ends(running, number)
    assert result.returncode == status
    assert result.stderr.splitlines()[-1] == (
        f"Error: {word} in revision bbb222 (add y). The database stands at aaa111 (add a)."
    )


@pytest.mark.parametrize(
    ("sent", "arguments"),
    pairs(ALL, [["wait"], ["current", "--wait-db", "60"], ["upgrade", "--wait-db", "60"]]),
    ids=str,
)
def test_a_wait_for_the_database_ends(
    sent: tuple[int, int, str], arguments: list[str], make_app: MakeApp, start: Start
) -> None:
    number, status, word = sent
    waiting = start(make_app("postgresql://u@/shop?host=/nowhere", [TABLE]), *arguments)
    waiting.until_told("waiting")
    result = ends(waiting, number)
    assert (result.returncode, result.stdout) == (status, "")
    assert f"Error: {word}." in result.stderr.splitlines()


def test_a_second_ctrl_c_kills_at_once(
    make_app: MakeApp, sqlite_url: str, start: Start, tmp_path: Path
) -> None:
    stubborn = """\
    import pathlib, time
    reached = pathlib.Path(op.get_bind().engine.url.database + ".reached")
    try:
        reached.touch()
        time.sleep(600)
    finally:
        reached.unlink()
        time.sleep(600)
    """
    ini = make_app(sqlite_url, [TABLE, Revision("bbb222", "aaa111", upgrade=stubborn)])
    running = start(ini, "upgrade")
    reached = tmp_path / "test.sqlite.reached"
    until(reached.exists)
    running.signal(signal.SIGINT)
    until(lambda: not reached.exists())
    assert running.is_running
    result = ends(running, signal.SIGINT, within=1)
    assert result.returncode == 130
    assert heads(sqlite_url) == {"aaa111"}


STUBBORN = """\
import pathlib, time
reached = pathlib.Path(op.get_bind().engine.url.database + ".reached")
try:
    reached.touch()
    time.sleep(600)
finally:
    reached.unlink()
    time.sleep(1)
    reached.with_suffix(".seen_to").touch()
"""


@pytest.mark.parametrize(
    ("first", "status", "word"),
    [(signal.SIGHUP, 129, "Hung up"), (signal.SIGTERM, 143, "Terminated")],
)
def test_a_second_sighup_which_shells_and_systemd_send_hurries_nothing(
    first: int,
    status: int,
    word: str,
    make_app: MakeApp,
    sqlite_url: str,
    start: Start,
    tmp_path: Path,
) -> None:
    ini = make_app(sqlite_url, [TABLE, Revision("bbb222", "aaa111", "wait", upgrade=STUBBORN)])
    running = start(ini, "upgrade")
    reached = tmp_path / "test.sqlite.reached"
    until(reached.exists)
    running.signal(first)
    until(lambda: not reached.exists())
    result = ends(running, signal.SIGHUP)
    assert result.returncode == status
    assert (tmp_path / "test.sqlite.seen_to").exists()
    assert result.stderr.splitlines()[1:] == [
        f"Error: {word} in revision bbb222 (wait). The database stands at aaa111 (add a)."
    ]


def test_a_terminal_that_is_closed_ends_the_run(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    ini = make_app(postgresql_url, [TABLE, SLEEPING])
    terminal, end = os.openpty()
    # What makes `end` the terminal that the process is told of.
    code = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    code += "; os.execv(sys.argv[1], sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", code, SCRIPTS / "myapp-migrate", ini, "upgrade"],
        start_new_session=True,
        stdin=end,
        stdout=end,
        stderr=end,
    ) as running:
        os.close(end)
        until_running(postgresql_url, "SELECT pg_sleep%")
        os.close(terminal)
    assert running.returncode == 129
    assert not is_running(postgresql_url, "SELECT pg_sleep%")
    assert heads(postgresql_url) == {"aaa111"}
    assert "b" not in tables(postgresql_url)


def test_nohup_keeps_a_run_alive(make_app: MakeApp, sqlite_url: str, tmp_path: Path) -> None:
    waits = """\
    import pathlib, time
    folder = pathlib.Path(op.get_bind().engine.url.database).parent
    (folder / "reached").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    """
    ini = make_app(sqlite_url, [TABLE, Revision("bbb222", "aaa111", "wait", upgrade=waits)])
    with subprocess.Popen(
        ["nohup", SCRIPTS / "myapp-migrate", ini, "upgrade"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        until((tmp_path / "reached").exists)
        running.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        (tmp_path / "go").touch()
    assert running.returncode == 0
    assert heads(sqlite_url) == {"bbb222"}


def test_signals_at_any_moment_leave_no_half_applied_revision(
    make_app: MakeApp, database_url: str, start: Start
) -> None:
    line = [
        Revision(
            f"r{number:04}", f"r{number - 1:04}" if number else None, **create_table(f"t{number}")
        )
        for number in range(40)
    ]
    ini = make_app(database_url, line)
    for delay in (0.0, 0.01, 0.02, 0.04, 0.08):
        running = start(ini, "upgrade")
        until(lambda running=running: "[" in running.stderr or not running.is_running)
        time.sleep(delay)
        running.signal(signal.SIGTERM)
        result = running.finish()
        assert result.returncode in (0, 143), result.stderr
        assert "Traceback" not in result.stderr
        found = {name for name in tables(database_url) if name.startswith("t")}
        (head,) = heads(database_url)
        assert found == {f"t{number}" for number in range(int(head[1:]) + 1)}
        if result.returncode:
            assert f"The database stands at {head} (a change)." in result.stderr
        change(
            database_url, *(f"DROP TABLE {name}" for name in found), "DELETE FROM alembic_version"
        )
        assert rows(database_url, "SELECT * FROM alembic_version") == []


def test_a_signal_within_a_destructor_ends_the_run_before_the_next_revision(
    make_app: MakeApp, database_url: str
) -> None:
    body = """\
        import os, signal, time
        class Gone:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
        Gone()
        op.create_table("a", sa.Column("id", sa.Integer))
    """
    ini = make_app(
        database_url,
        [Revision("aaaa1", upgrade=body), Revision("bbbb2", "aaaa1", **create_table("b"))],
    )
    result = run(ini, "upgrade")
    assert result.returncode == 143
    assert "Traceback" not in result.stderr
    assert "ignored" not in result.stderr
    assert "The database stands at " in result.stderr.splitlines()[-1]
    assert "b" not in tables(database_url)


def test_a_signal_stops_nothing_when_all_is_done(make_app: MakeApp, sqlite_url: str) -> None:
    # Nobody reads the answer, so the command waits to be rid of it.
    message = "a change that takes more than a pipe holds " * 20
    line = [Revision(f"r{n}", f"r{n - 1}" if n else None, message=message) for n in range(99)]
    ini = make_app(sqlite_url, line)
    command = [SCRIPTS / "myapp-migrate", ini, "upgrade", "--json", "--quiet"]
    pipe = subprocess.PIPE
    # Without a buffer of its own, Python loses what a signal keeps it from writing.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, bufsize=0, env=env) as running:
        until(lambda: (ini.parent / "test.sqlite").exists())
        until(lambda: "alembic_version" in tables(sqlite_url))
        until(lambda: heads(sqlite_url) == {"r98"})
        assert running.stdout
        start_of_answer = running.stdout.read(1)
        running.send_signal(signal.SIGTERM)
        rest, story = running.communicate(timeout=30)
    assert (running.returncode, story) == (0, b"")
    assert json.loads(start_of_answer + rest)["after"] == ["r98"]


def test_a_command_in_another_thread_leaves_signals_alone(
    make_app: MakeApp, sqlite_url: str
) -> None:
    import threading

    found: list[Result] = []
    ini = make_app(sqlite_url, [TABLE])
    thread = threading.Thread(target=lambda: found.append(invoke(ini, "upgrade")))
    thread.start()
    thread.join()
    assert found[0].returncode == 0, found[0].stderr

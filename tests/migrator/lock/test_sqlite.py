"""One writer at a time on SQLite: a lock of the operating system on a file beside the database."""

import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.command import invoke, run
from support.database import heads, tables
from support.history import MakeApp, Revision, create_table
from support.processes import Start, seconds_of, until, write_env

from myapp.migrator.config import run_context
from myapp.migrator.lock import writer_lock
from myapp.migrator.lock.sqlite import file_lock

LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
]
OWN_ENGINE = """\
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
#: How often each of several processes takes the lock.
TAKES = 50
WRITERS = [["upgrade"], ["downgrade", "base"], ["stamp", "bbb222"], ["ensure-version"]]


def until_file(path: Path) -> None:
    until(path.exists)


def waits_for(path: Path) -> str:
    """Return the body of a revision that tells when it runs, and goes on when `path` exists."""
    return f"""\
    import pathlib, time
    pathlib.Path({str(path)!r} + '.reached').touch()
    while not pathlib.Path({str(path)!r}).exists():
        time.sleep(0.02)
    """


@contextmanager
def another_run(ini: Path) -> Iterator[None]:
    """Hold the lock as another run would."""
    with writer_lock(run_context(ini), lambda sentence: None):
        yield


@pytest.mark.parametrize("arguments", WRITERS, ids=lambda arguments: arguments[0])
@pytest.mark.parametrize("env", [None, OWN_ENGINE], ids=["our env.py", "an env.py's own engine"])
def test_no_command_changes_the_database_while_another_run_does(
    arguments: list[str], env: str | None, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    if env:
        write_env(ini, env)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    with another_run(ini):
        result = invoke(ini, arguments[0], "--lock-wait", "0", *arguments[1:])
    assert (result.returncode, result.stdout) == (5, "")
    assert re.fullmatch(
        r"(?:Drops: .*\n)?"
        r"Error: Another run is migrating this database: pid \d+ on \S+ \(alembic \S+:\d+\),"
        r" since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[-+]\d\d:\d\d\. It did not finish within 0 s\.\n"
        r"Hint:  wait for it and run again, or wait longer with `--lock-wait SECONDS`\.\n",
        result.stderr,
    )
    assert (heads(sqlite_url), tables(sqlite_url)) == ({"aaa111"}, {"a", "alembic_version"})
    assert invoke(ini, arguments[0], "--lock-wait", "0", *arguments[1:]).returncode == 0


def test_a_run_waits_for_another_and_reads_where_it_left_the_database(
    make_app: MakeApp, sqlite_url: str, start: Start, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    ini = make_app(sqlite_url, [Revision("aaa111", upgrade=waits_for(go)), LINE[1]])
    holder = start(ini, "upgrade")
    until_file(tmp_path / "go.reached")
    waiter = start(ini, "upgrade")
    waiter.until_told(f"waiting for another run to finish: pid {holder.pid} on ")
    go.touch()
    first, second = holder.finish(), waiter.finish()
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert second.stdout.endswith(" is at bbb222 (a change).\n")


def test_the_lock_is_free_as_soon_as_its_holder_is_killed(
    make_app: MakeApp, sqlite_url: str, start: Start, tmp_path: Path
) -> None:
    never = waits_for(tmp_path / "never")
    ini = make_app(sqlite_url, [LINE[0], Revision("bbb222", "aaa111", upgrade=never)])
    holder = start(ini, "upgrade")
    until_file(tmp_path / "never.reached")
    holder.signal(signal.SIGKILL)
    holder.finish()
    result = invoke(ini, "downgrade", "base", "--lock-wait", "0")
    assert result.returncode == 0, result.stderr
    assert tables(sqlite_url) == {"alembic_version"}


def test_there_is_no_lock_for_nothing_to_do(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, LINE)
    invoke(ini, "upgrade")
    # It could not be made: the lock would be an error.
    (tmp_path / "test.sqlite.migrate-lock").mkdir()
    assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, "downgrade", "base").returncode == 6


def test_a_database_in_memory_needs_no_lock(make_app: MakeApp, tmp_path: Path) -> None:
    result = run(make_app("sqlite://", LINE), "upgrade", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "nothing stops a second run" not in result.stderr
    assert not list(tmp_path.rglob("*.migrate-lock"))


def test_a_symbolic_link_and_its_target_have_one_lock(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, LINE)
    invoke(ini, "upgrade", "aaa111")
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "test.sqlite")
    with another_run(ini):
        ini.write_text(ini.read_text().replace("test.sqlite", "link.sqlite"))
        assert invoke(ini, "upgrade", "--lock-wait", "0").returncode == 5


def test_a_run_whose_lock_file_is_deleted_stops_before_its_next_revision(
    make_app: MakeApp, sqlite_url: str, start: Start, tmp_path: Path
) -> None:
    go, lock = tmp_path / "go", tmp_path / "test.sqlite.migrate-lock"
    ini = make_app(sqlite_url, [Revision("aaa111", upgrade=waits_for(go)), LINE[1]])
    holder = start(ini, "upgrade")
    until_file(tmp_path / "go.reached")
    lock.unlink()
    go.touch()
    result = holder.finish()
    assert result.returncode == 5
    assert result.stderr.splitlines()[1:] == [
        f"Error: The lock file {lock} was deleted or replaced while this run held it, so another"
        " run may have started.",
        "       The database stands at aaa111 (a change).",
        "Hint:  leave that file alone; run the command again.",
    ]
    assert heads(sqlite_url) == {"aaa111"}


def test_a_run_that_can_not_even_read_while_another_writes_waits_for_its_lock(
    make_app: MakeApp, sqlite_url: str, start: Start, tmp_path: Path
) -> None:
    ini = make_app(f"{sqlite_url}?timeout=0.1", LINE)
    invoke(ini, "upgrade", "aaa111")
    with closing(sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)) as writer:
        with another_run(ini):
            # What a writer holds once it has more to write than its memory takes.
            writer.execute("BEGIN EXCLUSIVE")
            waiter = start(ini, "upgrade")
            waiter.until_told("waiting for another run to finish")
            writer.execute("ROLLBACK")
        result = waiter.finish()
    assert result.returncode == 0, result.stderr
    assert heads(sqlite_url) == {"bbb222"}


def test_a_lock_file_that_can_not_be_made_is_told(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, LINE)
    (tmp_path / "test.sqlite.migrate-lock").mkdir()
    result = invoke(ini, "upgrade")
    assert (result.returncode, result.stderr) == (
        6,
        f"Error: The lock file {tmp_path / 'test.sqlite.migrate-lock'} can't be made: Is a"
        " directory.\n"
        "Hint:  this user must be able to write the folder of the database.\n",
    )
    assert not (tmp_path / "test.sqlite").exists()


def test_what_holds_the_lock_is_named_though_others_try_to_get_it(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    with another_run(ini):
        told = [invoke(ini, "upgrade", "--lock-wait", "0").stderr for _ in range(3)]
    assert all("pid " in line for line in told)


def test_the_wait_is_as_long_as_it_was_asked_for(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE, {"migrate.lock_wait": "0.4"})
    with another_run(ini):
        assert 0.4 <= seconds_of(lambda: invoke(ini, "upgrade")) < 2
        assert seconds_of(lambda: invoke(ini, "upgrade", "--lock-wait", "1")) >= 1


def test_the_lock_is_on_the_database_that_env_py_opens(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(f"sqlite:///{tmp_path}/untouched.sqlite", LINE)
    opened = make_app_env(sqlite_url)
    write_env(ini, opened)
    for arguments in WRITERS:
        with file_lock(f"{tmp_path}/test.sqlite", "another", 0, print):
            assert invoke(ini, arguments[0], "--lock-wait", "0", *arguments[1:]).returncode == 5
        with file_lock(f"{tmp_path}/untouched.sqlite", "another", 0, print):
            assert invoke(ini, arguments[0], "--lock-wait", "0", *arguments[1:]).returncode == 0


def make_app_env(url: str) -> str:
    return OWN_ENGINE.replace('context.config.get_main_option("sqlalchemy.url")', repr(url))


def test_a_lock_whose_file_goes_with_it_is_never_held_by_two(tmp_path: Path) -> None:
    # Each reads a number, waits a moment and writes the next: two at once would lose one.
    counter = tmp_path / "counter"
    counter.write_text("0")
    code = f"""\
import pathlib, random, sys, time
from myapp.migrator.lock.sqlite import file_lock
counter = pathlib.Path({str(counter)!r})
for _ in range({TAKES}):
    with file_lock({str(tmp_path / "test.sqlite")!r}, "counting", 60, lambda sentence: None):
        number = int(counter.read_text())
        time.sleep(random.uniform(0, 0.002))
        counter.write_text(str(number + 1))
"""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert counter.read_text() == str(4 * TAKES)
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]

"""One writer at a time on PostgreSQL."""

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, event
from support.command import invoke
from support.database import change, heads, rows, tables
from support.history import MakeApp, Revision, create_table
from support.ini import MakeIni
from support.processes import Start, seconds_of, until, write_env
from support.sessions import (
    AT_GATE,
    GATE,
    gate,
    is_running,
    lock_backends,
    plain_user,
    session,
    terminate,
    until_at_gate,
    until_running,
)

from myapp.migrator.base.errors import LockLost
from myapp.migrator.config import run_context
from myapp.migrator.lock import Lock, writer_lock

PATIENT = {"migrate.lock_timeout": "0"}
LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
]
GATED = [
    Revision("aaa111", upgrade=f"op.execute('CREATE TABLE a (id int)')\n{AT_GATE}"),
    Revision("bbb222", "aaa111", **create_table("b")),
]
SLEEPING = [
    Revision(
        "aaa111", upgrade="op.execute('CREATE TABLE a (id int)')\nop.execute('SELECT pg_sleep(60)')"
    )
]
LOSE_THE_LOCK = """\
op.execute(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
    " WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""
IS_HELD = "FROM pg_locks WHERE pid IN"
# As the Pyramid cookiecutter's, whose engine keeps its connections in a pool.
OWN_ENGINE = """\
from alembic import context
from sqlalchemy import create_engine

from myapp.migrator.database.url import engine_url

engine = create_engine(engine_url(context.config.get_main_option("sqlalchemy.url")))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
WRITERS = [["upgrade"], ["downgrade", "base"], ["stamp", "bbb222"], ["ensure-version"]]


@contextmanager
def another_run(ini: Path) -> Iterator[Lock]:
    """Hold the lock as another run would."""
    with writer_lock(run_context(ini), lambda sentence: None) as lock:
        yield lock


@contextmanager
def next_in_line(url: str) -> Iterator[int]:
    """Let a session wait for the lock, take it from its holder, and yield the session's pid."""
    ((key,),) = rows(
        url,
        "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
        f" AND mode = 'ExclusiveLock' AND objid <> {GATE}",
    )
    with session(url, name="another") as waiting, ThreadPoolExecutor(1) as threads:
        taken = threads.submit(waiting.cursor().execute, f"SELECT pg_advisory_lock({key})")
        until(lambda: is_running(url, f"SELECT pg_advisory_lock({key})"))
        terminate(url, *lock_backends(url))
        taken.result(10)
        yield waiting.info.backend_pid


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what is executed on any connection, but for the watch of who blocks."""
    executed: list[str] = []

    def execute(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "pg_blocking_pids" not in statement:
            executed.append(statement)

    event.listen(Engine, "before_cursor_execute", execute)
    try:
        yield executed
    finally:
        event.remove(Engine, "before_cursor_execute", execute)


def line_of(count: int, upgrade: str) -> list[Revision]:
    return [
        Revision(f"r{number}", f"r{number - 1}" if number else None, upgrade=upgrade)
        for number in range(count)
    ]


def applied_first(ini: Path) -> Path:
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    return ini


@pytest.mark.parametrize("arguments", WRITERS, ids=lambda arguments: arguments[0])
@pytest.mark.parametrize("env", [None, OWN_ENGINE], ids=["our env.py", "an env.py's own engine"])
def test_no_command_changes_the_database_while_another_run_does(
    arguments: list[str], env: str | None, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    if env:
        write_env(ini, env)
    applied_first(ini)
    with another_run(ini):
        result = invoke(ini, arguments[0], "--lock-wait", "0", *arguments[1:])
    assert (result.returncode, result.stdout) == (5, "")
    assert re.fullmatch(
        r"(?:Drops: .*\n)?"
        r"Error: Another run is migrating this database: pid \d+ of the server \(alembic \S+:\d+\),"
        r" since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[-+]\d\d:\d\d\. It did not finish within 0 s\.\n"
        r"Hint:  wait for it and run again, or wait longer with `--lock-wait SECONDS`\.\n",
        result.stderr,
    )
    assert (heads(postgresql_url), tables(postgresql_url)) == ({"aaa111"}, {"a", "alembic_version"})
    assert invoke(ini, arguments[0], "--lock-wait", "0", *arguments[1:]).returncode == 0


def test_the_error_names_the_process_that_holds_the_lock(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, GATED, PATIENT)
    with gate(postgresql_url):
        holder = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        (pid,) = lock_backends(postgresql_url)
        result = invoke(ini, "upgrade", "--lock-wait", "0.2")
        names = rows(postgresql_url, "SELECT application_name FROM pg_stat_activity")
    assert result.returncode == 5
    assert f": pid {pid} of the server (myapp-migrate upgrade " in result.stderr
    assert f":{holder.pid}), since " in result.stderr
    # Both of a run's connections say whose they are.
    assert sum(f":{holder.pid}" in name for (name,) in names) >= 2
    assert holder.finish().returncode == 0


def test_a_wait_in_the_ini_file_is_kept_and_the_option_wins(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE, {"migrate.lock_wait": "0.5"})
    with another_run(ini):
        waited = seconds_of(lambda: invoke(ini, "upgrade"))
        not_waited = seconds_of(lambda: invoke(ini, "upgrade", "--lock-wait", "0"))
    assert waited >= 0.5
    assert not_waited < 0.5


def test_a_run_waits_for_another_and_reads_where_it_left_the_database(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, LINE)
    with another_run(ini):
        waiter = start(ini, "upgrade")
        waiter.until_told("waiting for another run to finish: pid ")
        change(
            postgresql_url,
            "CREATE TABLE a (id int)",
            "CREATE TABLE b (id int)",
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('bbb222')",
        )
    result = waiter.finish()
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Nothing to do: ")
    assert result.stderr.count("\n") == 1  # one line of waiting, and no revision


def test_there_is_no_lock_for_nothing_to_do(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, LINE)
    invoke(ini, "upgrade")
    with another_run(ini):
        result = invoke(ini, "upgrade", "--lock-wait", "0")
    assert result.stdout.startswith("Nothing to do: ")
    assert result.returncode == 0


def test_timeouts_of_the_ini_file_and_of_the_database_spare_the_lock(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    slow = [Revision("aaa111", upgrade="op.execute('SELECT pg_sleep(1)')"), LINE[1]]
    short = {"migrate.lock_timeout": "0.2", "migrate.statement_timeout": "2"}
    ini = make_app(postgresql_url, slow, short)
    name = urlsplit(postgresql_url).path.strip("/")
    for setting in ("lock_timeout", "statement_timeout", "idle_session_timeout"):
        change(postgresql_url, f"ALTER DATABASE {name} SET {setting} = '200ms'")
    with another_run(ini):
        waiter = start(ini, "upgrade")
        waiter.until_told("waiting for another run")
        time.sleep(0.8)
        assert waiter.is_running
    # The lock's connection then idles for a second, too long for the database's own setting.
    result = waiter.finish()
    assert result.returncode == 0, result.stderr


def test_a_run_that_waits_does_not_keep_an_index_from_being_built_concurrently(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    concurrently = """\
    with op.get_context().autocommit_block():
        op.execute('CREATE INDEX CONCURRENTLY ix_a ON a (id)')
    """
    ini = make_app(postgresql_url, [GATED[0], Revision("bbb222", "aaa111", upgrade=concurrently)])
    with gate(postgresql_url):
        holder = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        waiter = start(ini, "upgrade")
        waiter.until_told("waiting for another run")
    result, waited = holder.finish(20), waiter.finish(20)
    assert (result.returncode, waited.returncode) == (0, 0), result.stderr + waited.stderr
    assert waited.stdout.startswith("Nothing to do: ")


def test_a_killed_run_frees_the_lock_within_seconds_though_its_statement_would_run_on(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, SLEEPING)
    holder = start(ini, "upgrade")
    until_running(postgresql_url, "SELECT pg_sleep%")
    holder.signal(signal.SIGKILL)
    result = invoke(ini, "stamp", "base", "--lock-wait", "10")
    assert result.returncode == 0, result.stderr
    assert not is_running(postgresql_url, "SELECT pg_sleep%")
    assert "a" not in tables(postgresql_url)
    freed = seconds_of(lambda: until(lambda: not lock_backends(postgresql_url)))
    assert freed < 3


def test_no_run_starts_while_a_statement_of_one_that_lost_its_lock_still_runs(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, GATED, PATIENT)
    with gate(postgresql_url):
        holder = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        terminate(postgresql_url, *lock_backends(postgresql_url))
        assert lock_backends(postgresql_url) == []
        result = start(ini, "upgrade", "--lock-wait", "0.3").finish(20)
    assert result.returncode == 5
    assert f":{holder.pid}), since " in result.stderr


def test_a_run_whose_lock_another_has_taken_stops_before_its_next_revision(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, GATED, PATIENT)
    with gate(postgresql_url):
        holder = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        stack = ExitStack()
        pid = stack.enter_context(next_in_line(postgresql_url))
    with stack:
        result = holder.finish()
    assert (result.returncode, result.stdout) == (5, "")
    story = result.stderr.splitlines()
    assert story[0].startswith("[1/2] aaa111 a change")
    assert re.fullmatch(
        r"Error: The connection that held the lock is lost, and another run has it now: "
        rf"pid {pid} of the server \(another\), since [-0-9]+ [-+:0-9]+; this one stopped before"
        r" its next revision\.",
        story[1],
    )
    assert story[2:] == [
        "       The database stands at aaa111 (a change).",
        "Hint:  run the command again.",
    ]
    assert heads(postgresql_url) == {"aaa111"}
    assert "b" not in tables(postgresql_url)
    assert invoke(ini, "upgrade").returncode == 0


def test_a_lost_lock_is_taken_again_if_nobody_else_has_it(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, GATED, PATIENT)
    with gate(postgresql_url):
        holder = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        terminate(postgresql_url, *lock_backends(postgresql_url))
        assert lock_backends(postgresql_url) == []
        until(lambda: lock_backends(postgresql_url))
        assert start(ini, "upgrade", "--lock-wait", "0").finish(20).returncode == 5
    result = holder.finish()
    assert result.returncode == 0, result.stderr
    assert heads(postgresql_url) == {"bbb222"}


def test_one_that_was_lost_a_moment_ago_is_taken_again_before_the_next_revision(
    make_app: MakeApp, postgresql_url: str
) -> None:
    held = "op.execute(\"CREATE TABLE held AS SELECT 1 FROM pg_locks WHERE mode = 'ExclusiveLock'"
    held += " AND locktype = 'advisory'\")"
    ini = make_app(
        postgresql_url,
        [Revision("aaa111", upgrade=LOSE_THE_LOCK), Revision("bbb222", "aaa111", upgrade=held)],
    )
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT count(*) FROM held") == [(1,)]


def test_a_lost_lock_is_not_taken_again_when_the_run_has_been_without_a_session_meanwhile(
    make_app: MakeApp, postgresql_url: str
) -> None:
    with another_run(make_app(postgresql_url, LINE)) as lock:
        lock.require_held()
        terminate(postgresql_url, *lock_backends(postgresql_url))
        with pytest.raises(LockLost) as error:
            lock.require_held()
    assert error.value.message == (
        "The connection that held the lock is lost, so another run may have started; this one"
        " stopped before its next revision."
    )


def test_the_server_is_asked_for_the_lock_again_when_a_second_has_passed(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, line_of(3, "import time; time.sleep(1)"))
    with statements() as executed:
        assert invoke(ini, "upgrade").returncode == 0
    # One more may keep the connection alive.
    assert sum(IS_HELD in statement for statement in executed) in (3, 4)


@pytest.mark.parametrize("settings", [{}, {"migrate.transaction": "single"}])
def test_a_revision_costs_no_statement_but_its_own_and_its_row(
    make_app: MakeApp, postgresql_url: str, settings: dict[str, str]
) -> None:
    ini = make_app(postgresql_url, line_of(30, "op.execute('SELECT 1')"), settings)
    counts = []
    for target in ("r4", "r9", "r29"):
        with statements() as executed:
            assert invoke(ini, "upgrade", target).returncode == 0
        counts.append(sum(IS_HELD not in statement for statement in executed))
        assert len(executed) - counts[-1] < 5
    assert counts[2] - counts[1] == 2 * (20 - 5)


def test_a_user_who_may_not_see_others_sessions_is_told_what_may_be_known_of_the_holder(
    make_app: MakeApp, make_ini: MakeIni, postgresql_server: str, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    location = str(ini.parent / "migrations")
    with plain_user(postgresql_server, postgresql_url) as plain_url:
        plain = make_ini(
            {"sqlalchemy.url": plain_url, "alembic.script_location": location}, name="plain.ini"
        )
        with another_run(ini):
            result = invoke(plain, "upgrade", "--lock-wait", "0")
        assert invoke(plain, "upgrade").returncode == 0  # it may hold the lock itself
    assert result.returncode == 5
    assert re.match(
        r"(?:Drops: .*\n)?"
        r"Error: Another run is migrating this database: pid \d+ of the server"
        r" \(alembic \S+:\d+\)\. It did not finish within 0 s\.\n",
        result.stderr,
    )


def test_runs_with_version_tables_of_their_own_do_not_wait_for_each_other(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE, {"alembic.version_table": "other"})
    other = run_context(ini)
    ini.write_text(ini.read_text().replace("alembic.version_table = other", ""))
    with writer_lock(other, lambda sentence: None):
        assert invoke(ini, "upgrade", "--lock-wait", "0").returncode == 0


def test_nothing_is_left_behind_by_an_engine_that_an_env_py_keeps(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    kept = f"import support, sys\n{OWN_ENGINE}\nsupport.kept = engine\n"
    write_env(ini, kept)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    result = invoke(ini, "upgrade", "--lock-wait", "0")
    assert result.returncode == 0, result.stderr


def test_the_lock_holds_for_another_dialect_only_as_a_warning(make_app: MakeApp) -> None:
    told: list[str] = []
    with writer_lock(run_context(make_app("mysql://user@host/shop", LINE)), told.append):
        pass
    assert told == ["nothing stops a second run: there is no lock for mysql."]

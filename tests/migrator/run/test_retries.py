"""A revision that meets the application's locks is tried again."""

import re
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support import postgresql
from support.command import invoke
from support.database import change, heads, rows, tables
from support.history import MakeApp, Revision, create_table
from support.processes import Start, until
from support.sessions import AT_GATE, backends, gate, session, until_at_gate, until_running

TABLE = Revision("aaa111", **create_table("a"))
ALTER = Revision(
    "bbb222",
    "aaa111",
    "add y",
    upgrade="op.execute('ALTER TABLE a ADD COLUMN y int')",
    downgrade="op.execute('ALTER TABLE a DROP COLUMN y')",
)
SHORT = {"migrate.lock_timeout": "0.3", "migrate.retries": "2"}
READING = "SELECT * FROM a WHERE id = 42 AND 'p4ss' <> 'x'"


def notices(stderr: str) -> list[str]:
    """Return what was told of tries, without the lengths of pauses and ages."""
    told = re.findall(r"Warning: (revision .*?)(?=\n\S|\Z)", stderr, re.S)
    return [re.sub(r"(in|for) [\d.]+ s", r"\1 N s", " ".join(line.split())) for line in told]


def test_a_revision_that_waits_too_long_is_tried_again_and_each_try_says_who_blocks(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, [TABLE, ALTER], SHORT | {"migrate.retries": "10"})
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING) as reader:
        pid = reader.info.backend_pid
        running = start(ini, "upgrade")
        running.until_told("try 3 of 11")
    result = running.finish()
    assert result.returncode == 0, result.stderr
    assert heads(postgresql_url) == {"bbb222"}
    told = notices(result.stderr)
    blocker = (
        f"blocked by pid {pid} (shop, user deploy; idle in transaction for N s): SELECT * FROM a"
        " WHERE id = ? AND ? <> ?"
    )
    assert told[:2] == [
        "revision bbb222 (add y) was rolled back because it could not get a lock in time; try"
        f" {number} of 11 in N s {blocker}"
        for number in (2, 3)
    ]
    assert "p4ss" not in result.stderr


def test_when_the_tries_are_used_up_the_error_says_who_blocks(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [TABLE, ALTER], SHORT)
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING) as reader:
        result = invoke(ini, "upgrade")
        pid = reader.info.backend_pid
    assert (result.returncode, result.stdout) == (1, "")
    assert [told.count("; try ") for told in notices(result.stderr)] == [1, 1]
    error = re.sub(r"for \d+ s", "for N s", result.stderr[result.stderr.index("Error:") :])
    assert error == (
        "Error: Revision bbb222 (add y) failed and was rolled back: canceling statement due to lock"
        " timeout (in: ALTER TABLE a ADD COLUMN y int).\n"
        f"       Blocked by pid {pid} (shop, user deploy; idle in transaction for N s): SELECT *"
        " FROM a WHERE id = ? AND ? <> ?.\n"
        "       The database stands at aaa111 (a change).\n"
        "Hint:  another session holds a lock: run the command again when it has ended, or raise"
        " `migrate.lock_timeout`.\n"
    )
    assert heads(postgresql_url) == {"aaa111"}


def test_no_retries_is_one_try(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, [TABLE, ALTER], SHORT | {"migrate.retries": "0"})
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING):
        result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert notices(result.stderr) == []
    assert "Blocked by pid " in result.stderr


def test_the_pauses_grow(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(
        postgresql_url,
        [TABLE, ALTER],
        {"migrate.lock_timeout": "0.05", "migrate.retries": "3"},
    )
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING):
        stderr = invoke(ini, "upgrade").stderr
    pauses = [float(found) for found in re.findall(r" in ([\d.]+) s\n", stderr)]
    for pause, longest in zip(pauses, (0.5, 1, 2), strict=True):
        assert longest / 2 - 0.1 <= pause <= longest + 0.1


def test_a_deadlock_is_tried_again(make_app: MakeApp, postgresql_url: str, start: Start) -> None:
    upgrade = (
        f"op.execute('ALTER TABLE a ADD y int')\n{AT_GATE}\nop.execute('ALTER TABLE b ADD y int')"
    )
    ini = make_app(
        postgresql_url,
        [
            TABLE,
            Revision("bbb222", "aaa111", **create_table("b")),
            Revision("ccc333", "bbb222", upgrade=upgrade),
        ],
        {"migrate.lock_timeout": "0"},
    )
    invoke(ini, "upgrade", "bbb222")
    # It looks for deadlocks too late to be the one that is sacrificed.
    with session(postgresql_url, "SET deadlock_timeout = '1h'", "LOCK TABLE b") as other:
        with gate(postgresql_url):
            running = start(ini, "upgrade")
            until_at_gate(postgresql_url)
            thread = threading.Thread(target=other.cursor().execute, args=("LOCK TABLE a",))
            thread.start()
            until_running(postgresql_url, "LOCK TABLE a")
        thread.join()
    result = running.finish()
    assert result.returncode == 0, result.stderr
    (told,) = notices(result.stderr)
    assert told.startswith(
        "revision ccc333 (a change) was rolled back because of a deadlock; try 2 in N s"
    )
    assert re.search(
        r"blocked by pid \d+ \(shop, user deploy; active for N s\): LOCK TABLE a", told
    )
    assert heads(postgresql_url) == {"ccc333"}


def test_a_serialization_failure_is_tried_again(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    upgrade = f"""\
    op.execute('SELECT count(*) FROM a')
    {AT_GATE}
    op.execute('UPDATE a SET id = id + 1')
    """
    ini = make_app(
        postgresql_url,
        [TABLE, Revision("bbb222", "aaa111", upgrade=upgrade)],
        {"migrate.lock_timeout": "0", "sqlalchemy.isolation_level": "REPEATABLE READ"},
    )
    invoke(ini, "upgrade", "aaa111")
    change(postgresql_url, "INSERT INTO a VALUES (1)")
    with gate(postgresql_url):
        running = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        change(postgresql_url, "UPDATE a SET id = 10")
    result = running.finish()
    assert result.returncode == 0, result.stderr
    assert notices(result.stderr) == [
        "revision bbb222 (a change) was rolled back because of a serialization failure; try 2 in"
        " N s; it gives up in N s"
    ]
    assert rows(postgresql_url, "SELECT id FROM a") == [(11,)]


@pytest.mark.parametrize(
    ("first", "arguments", "left"),
    [
        ("aaa111", ["upgrade", "+2"], "ccc333"),
        ("ddd444", ["downgrade", "-2"], "bbb222"),
    ],
    ids=["upgrade +2", "downgrade -2"],
)
def test_a_relative_target_is_not_counted_anew_when_a_revision_is_tried_again(
    first: str,
    arguments: list[str],
    left: str,
    make_app: MakeApp,
    postgresql_url: str,
    start: Start,
) -> None:
    def changes(column: str) -> dict[str, str]:
        return {
            "upgrade": f"op.execute('ALTER TABLE a ADD {column} int')",
            "downgrade": f"op.execute('ALTER TABLE a DROP {column}')",
        }

    second = {"upgrade": "pass", "downgrade": "pass"}
    line = [
        TABLE,
        Revision("bbb222", "aaa111", **second),
        Revision("ccc333", "bbb222", **changes("c")),
        Revision("ddd444", "ccc333", **second),
        Revision("eee555", "ddd444", **second),
    ]
    ini = make_app(postgresql_url, line, SHORT | {"migrate.retries": "10"})
    invoke(ini, "upgrade", first)
    with session(postgresql_url, READING):
        running = start(ini, *arguments)
        running.until_told("try 2 of 11")
    result = running.finish()
    assert result.returncode == 0, result.stderr
    assert heads(postgresql_url) == {left}
    assert result.stdout.count("2 revisions") == 1


def test_with_one_transaction_for_the_run_all_of_it_is_tried_again(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    settings = SHORT | {"migrate.transaction": "single", "migrate.retries": "10"}
    change(postgresql_url, "CREATE TABLE a (id int)")
    first = Revision("aaa111", **create_table("b"))
    ini = make_app(postgresql_url, [first, ALTER], settings)
    with session(postgresql_url, READING):
        running = start(ini, "upgrade")
        running.until_told("try 2 of 11")
        assert tables(postgresql_url) - {"alembic_version"} == {"a"}
    result = running.finish()
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Upgraded 2 revisions in ")
    assert heads(postgresql_url) == {"bbb222"}


def test_what_was_committed_outside_a_transaction_is_never_tried_again(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = """\
    with op.get_context().autocommit_block():
        op.execute('CREATE TABLE kept (id int)')
    op.execute('ALTER TABLE a ADD COLUMN y int')
    """
    ini = make_app(postgresql_url, [TABLE, Revision("bbb222", "aaa111", upgrade=upgrade)], SHORT)
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING):
        result = invoke(ini, "upgrade")
    assert result.returncode == 9
    assert notices(result.stderr) == []
    assert "this was committed and stays:\n         CREATE TABLE kept (id int)\n" in result.stderr


def test_an_index_that_a_timeout_leaves_invalid_is_no_reason_to_try_again(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = """\
    with op.get_context().autocommit_block():
        op.execute('CREATE INDEX CONCURRENTLY ix_a ON a (id)')
    """
    ini = make_app(postgresql_url, [TABLE, Revision("bbb222", "aaa111", upgrade=upgrade)], SHORT)
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, "INSERT INTO a VALUES (1)"):
        result = invoke(ini, "upgrade")
    assert result.returncode == 9, result.stderr
    assert notices(result.stderr) == []
    assert "index ix_a" in result.stderr


def test_other_failures_are_not_tried_again(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade="op.execute('SELECT 1/0')")])
    result = invoke(ini, "upgrade")
    assert (result.returncode, notices(result.stderr)) == (1, [])


def test_a_statement_timeout_ends_a_revision(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(
        postgresql_url,
        [TABLE, Revision("bbb222", "aaa111", upgrade="op.execute('SELECT pg_sleep(30)')")],
        {"migrate.statement_timeout": "0.3"},
    )
    begin = time.monotonic()
    result = invoke(ini, "upgrade")
    assert time.monotonic() - begin < 10
    assert (result.returncode, notices(result.stderr)) == (1, [])
    assert "canceling statement due to statement timeout" in result.stderr
    assert result.stderr.splitlines()[-1] == (
        "Hint:  raise `migrate.statement_timeout` (0 is none), or let the revision do less at a"
        " time; then run the command again."
    )
    assert heads(postgresql_url) == {"aaa111"}


def test_a_lock_timeout_of_less_than_a_millisecond_is_not_none(
    make_app: MakeApp, postgresql_url: str
) -> None:
    kept = "op.execute(\"CREATE TABLE kept AS SELECT current_setting('lock_timeout') AS value\")"
    settings = {"migrate.lock_timeout": "0.0001"}
    invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=kept)], settings), "upgrade")
    assert rows(postgresql_url, "SELECT value FROM kept") == [("1ms",)]


def test_a_run_sets_what_it_needs_on_its_connections(
    make_app: MakeApp, postgresql_url: str
) -> None:
    kept = """\
    for name in ("lock_timeout", "statement_timeout", "client_connection_check_interval"):
        op.execute(f"CREATE TABLE kept_{name} AS SELECT current_setting('{name}') AS value")
    """
    invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=kept)]), "upgrade")
    assert rows(
        postgresql_url,
        "SELECT * FROM kept_lock_timeout, kept_statement_timeout,"
        " kept_client_connection_check_interval",
    ) == [("150ms", "0", "1s")]
    assert backends(postgresql_url, "application_name LIKE 'myapp%'") == []


def test_without_a_count_no_try_is_made_while_the_same_session_is_in_the_way(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, [TABLE, ALTER])
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING) as reader:
        running = start(ini, "upgrade")
        running.until_told(", or later, when the lock is free; it gives up in ")
        told = running.stderr
        time.sleep(3)
        assert running.stderr == told
        assert backends(postgresql_url, "wait_event_type = 'Lock'") == []
        pid = reader.info.backend_pid
    result = running.finish()
    assert result.returncode == 0, result.stderr
    assert heads(postgresql_url) == {"bbb222"}
    assert re.sub("try [23]", "try N", notices(told)[-1]) == (
        "revision bbb222 (add y) was rolled back because it could not get a lock in time; try N in"
        " N s, or later, when the lock is free; it gives up in N s blocked by pid"
        f" {pid} (shop, user deploy; idle in transaction for N s): SELECT * FROM a WHERE id = ?"
        " AND ? <> ?"
    )


def test_a_session_that_goes_on_without_the_lock_is_not_waited_for(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    ini = make_app(postgresql_url, [TABLE, ALTER])
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING) as reader:
        running = start(ini, "upgrade")
        running.until_told("; try 2 in ")
        reader.rollback()
        reader.cursor().execute("SELECT 1")  # another transaction of the same session
        assert running.finish(20).returncode == 0
    assert heads(postgresql_url) == {"bbb222"}


def test_when_the_patience_is_over_the_error_says_who_blocks(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [TABLE, ALTER], {"migrate.lock_patience": "1.5"})
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING) as reader:
        begin = time.monotonic()
        result = invoke(ini, "upgrade")
        assert 1.5 <= time.monotonic() - begin < 10
        pid = reader.info.backend_pid
    assert (result.returncode, result.stdout) == (1, "")
    error = result.stderr[result.stderr.index("Error:") :]
    assert "canceling statement due to lock timeout" in error
    assert f"Blocked by pid {pid} (shop, user deploy; idle in transaction for " in error
    assert error.splitlines()[-1] == (
        "Hint:  another session holds a lock: run the command again when it has ended, or raise"
        " `migrate.lock_patience`."
    )
    assert heads(postgresql_url) == {"aaa111"}


@pytest.mark.parametrize(
    ("patience", "retries", "tries"), [("0", None, 0), ("0", "5", 0), ("60", "1", 1)]
)
def test_what_ends_first_ends_the_tries(
    patience: str, retries: str | None, tries: int, make_app: MakeApp, postgresql_url: str
) -> None:
    settings = {"migrate.lock_patience": patience}
    settings |= {"migrate.retries": retries} if retries else {}
    ini = make_app(postgresql_url, [TABLE, ALTER], settings)
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, READING):
        result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert len(notices(result.stderr)) == tries


def test_autovacuum_leaves_the_table_to_a_migration(make_app: MakeApp, start: Start) -> None:
    with postgresql.restartable_server() as server:
        server.stop()
        server.start("autovacuum=on", "autovacuum_naptime=1s")
        url = postgresql.make_database(server.admin_url)
        postgresql.execute(
            url,
            "CREATE TABLE a (id int PRIMARY KEY, x text) WITH (autovacuum_vacuum_threshold = 1,"
            " autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100,"
            " autovacuum_vacuum_cost_limit = 1)",
            "INSERT INTO a SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n",
            "DELETE FROM a WHERE id % 2 = 0",
        )
        ini = make_app(url, [replace(ALTER, down_revision=None)])
        until(lambda: rows(url, "SELECT 1 FROM pg_stat_progress_vacuum"), 60)
        running = start(ini, "upgrade")
        result = running.finish(30)
        assert result.returncode == 0, result.stderr
        assert "autovacuum" in result.stderr
        assert heads(url) == {"bbb222"}


def test_a_busy_sqlite_file_is_tried_again(
    make_app: MakeApp, sqlite_url: str, start: Start, tmp_path: Path
) -> None:
    ini = make_app(f"{sqlite_url}?timeout=0.1", [TABLE, ALTER])
    invoke(ini, "upgrade", "aaa111")
    with closing(sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)) as app:
        app.execute("BEGIN IMMEDIATE")
        app.execute("INSERT INTO a VALUES (1)")
        running = start(ini, "upgrade")
        running.until_told("because another process was writing; try 2 in ")
        app.execute("COMMIT")
    result = running.finish()
    assert result.returncode == 0, result.stderr
    assert heads(sqlite_url) == {"bbb222"}

"""A revision that waits for a lock of its own is told so, and is not tried again."""

import re
from pathlib import Path

import pytest
from support.command import Result, invoke
from support.database import change, heads, rows
from support.history import MakeApp, Revision, create_table
from support.processes import seconds_of
from support.sessions import session

TABLE = Revision("aaa111", **create_table("a"))
SECOND = "with op.get_bind().engine.begin() as other:"
TOLD = (
    "\n       It waited for itself: two connections of the revision need the same lock.\n"
    "       The database stands at aaa111 (a change)."
)
CURE = "let the revision do all its work on one connection, `op.get_bind()`: fix "


def writing(url: str) -> str:
    """Return the line that begins to write on a raw connection, without SQLAlchemy."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        return f"import sqlite3; raw = sqlite3.connect({path!r}, timeout=0.2)"
    return f"import psycopg2; raw = psycopg2.connect({url!r})"


def run_to_its_end(make_app: MakeApp, url: str, upgrade: str, **settings: str) -> Result:
    """Run a revision that blocks itself, and return what is told."""
    url = f"{url}?timeout=0.2" if url.startswith("sqlite") else url
    settings = {f"migrate.{name}": value for name, value in settings.items()}
    ini = make_app(url, [TABLE, Revision("bbb222", "aaa111", "twice", upgrade=upgrade)], settings)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    return invoke(ini, "upgrade")


FIRST_HOLDS_IT = f"""\
op.execute("INSERT INTO a VALUES (1)")
{SECOND}
    other.execute(sa.text("INSERT INTO a VALUES (1)"))
"""
RAW_WAITS = """\
op.execute("INSERT INTO a VALUES (1)")
{raw}
raw.cursor().execute("INSERT INTO a VALUES (1)")
"""
SECOND_HOLDS_IT = f"""\
with op.get_context().autocommit_block():
    {SECOND}
        other.execute(sa.text("INSERT INTO a VALUES (1)"))
        op.execute("INSERT INTO a VALUES (1)")
"""
RAW_HOLDS_IT = """\
with op.get_context().autocommit_block():
    {raw}
    raw.cursor().execute("INSERT INTO a VALUES (1)")
    op.execute("INSERT INTO a VALUES (1)")
"""
KINDS = [FIRST_HOLDS_IT, RAW_WAITS, SECOND_HOLDS_IT, RAW_HOLDS_IT]
NAMES = ["the second waits", "a raw one waits", "the second holds it", "a raw one holds it"]


@pytest.mark.parametrize("upgrade", KINDS, ids=NAMES)
def test_on_sqlite_it_fails_at_once_and_is_told_to_be_its_own_doing(
    make_app: MakeApp, sqlite_url: str, upgrade: str
) -> None:
    result = run_to_its_end(make_app, sqlite_url, upgrade.format(raw=writing(sqlite_url)))
    assert result.returncode == 1
    assert "try 2" not in result.stderr
    assert "another" not in result.stderr
    assert "Revision bbb222 (twice) failed and was rolled back: " in result.stderr
    assert "database is locked" in result.stderr
    assert TOLD in result.stderr
    assert re.search(
        rf"\nHint:  {re.escape(CURE)}\S+bbb222_.py \(line \d+\), then run the command again.\n",
        result.stderr,
    )
    assert rows(sqlite_url, "SELECT * FROM a") == []


@pytest.mark.parametrize(
    ("upgrade", "lock_timeout"),
    [*((kind, "0") for kind in KINDS), (FIRST_HOLDS_IT, "0.3"), (RAW_HOLDS_IT, "0.3")],
    ids=[*NAMES, f"{NAMES[0]}, in time", f"{NAMES[3]}, in time"],
)
def test_on_postgresql_it_ends_soon_and_is_told_to_be_its_own_doing(
    make_app: MakeApp, postgresql_url: str, upgrade: str, lock_timeout: str
) -> None:
    upgrade = upgrade.format(raw=writing(postgresql_url))
    told: list[Result] = []
    seconds = seconds_of(
        lambda: told.append(
            run_to_its_end(make_app, postgresql_url, upgrade, lock_timeout=lock_timeout)
        )
    )
    (result,) = told
    assert seconds < 8
    # What the second connection may have committed isn't known.
    assert result.returncode == 9, result.stderr
    assert "try 2" not in result.stderr
    assert "lock" in result.stderr or "canceling statement" in result.stderr
    assert "Blocked by" not in result.stderr
    assert "other session" not in result.stderr
    assert "who cancelled" not in result.stderr
    assert TOLD in result.stderr
    assert f"undo that by hand; {CURE}" in result.stderr
    assert heads(postgresql_url) == {"aaa111"}


def test_another_session_is_still_told_where_a_revision_has_two_connections(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = f"{SECOND}\n    op.execute('ALTER TABLE b ADD y int')"
    change(postgresql_url, "CREATE TABLE b (id int)")
    with session(postgresql_url, "SELECT * FROM b") as reader:
        result = run_to_its_end(make_app, postgresql_url, upgrade, lock_timeout="0.5")
        pid = reader.info.backend_pid
    assert f"Blocked by pid {pid} (shop" in result.stderr
    assert "waited for itself" not in result.stderr


def test_a_session_that_queues_behind_its_own_which_waits_for_another_is_no_self_block(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = f"""\
    import threading, time
    {writing(postgresql_url)}
    def queue():
        time.sleep(0.4)
        try:
            raw.cursor().execute("SET lock_timeout = '4s'; SELECT * FROM b")
        except psycopg2.Error:
            pass
    thread = threading.Thread(target=queue)
    thread.start()
    try:
        op.execute("ALTER TABLE b ADD y int")
    finally:
        thread.join()
    """
    change(postgresql_url, "CREATE TABLE b (id int)")
    with session(postgresql_url, "SELECT * FROM b") as reader:
        result = run_to_its_end(make_app, postgresql_url, upgrade, lock_timeout="2")
        pid = reader.info.backend_pid
    assert f"Blocked by pid {pid} (shop" in result.stderr
    assert "waited for itself" not in result.stderr


def test_a_thread_that_waits_for_a_session_at_work_is_not_cut_off(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = f"""\
    import threading
    {writing(postgresql_url)}
    with op.get_context().autocommit_block():
        op.execute("BEGIN")
        op.execute("LOCK TABLE a")
        thread = threading.Thread(target=raw.cursor().execute, args=("INSERT INTO a VALUES (1)",))
        thread.start()
        op.execute("SELECT pg_sleep(4)")
        op.execute("COMMIT")
        thread.join()
        raw.commit()
    """
    result = run_to_its_end(make_app, postgresql_url, upgrade)
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT * FROM a") == [(1,)]


def test_a_file_that_another_process_writes_is_not_blamed_on_the_revision(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    upgrade = f"""\
    import subprocess, sys
    {writing(sqlite_url)}
    raw.execute("SELECT * FROM a").fetchall()
    with op.get_context().autocommit_block():
        code = '''if True:
            import sqlite3, sys
            other = sqlite3.connect(sys.argv[1], isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            print("locked", flush=True)
            sys.stdin.read()
        '''
        program = subprocess.Popen(
            [sys.executable, "-c", code, {str(tmp_path / "test.sqlite")!r}],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        program.stdout.readline()
        try:
            op.execute("INSERT INTO a VALUES (1)")
        finally:
            program.communicate()
    """
    result = run_to_its_end(make_app, sqlite_url, upgrade, retries="0")
    assert "database is locked" in result.stderr
    assert "waited for itself" not in result.stderr

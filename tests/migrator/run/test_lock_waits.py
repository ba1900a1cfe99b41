"""A statement waits for a lock briefly, unless it keeps nobody waiting."""

import threading

import pytest
from support import postgresql
from support.command import invoke
from support.database import change, heads, rows
from support.history import MakeApp, Revision
from support.processes import Start, until
from support.sessions import backends, session

KEEP = "op.execute(\"INSERT INTO seen SELECT current_setting('lock_timeout')\")"
ALONE = "with op.get_context().autocommit_block():\n    {}\n"


def test_a_short_lock_timeout_is_set_unless_the_ini_file_says_otherwise(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE seen (lock_timeout text)")
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=KEEP, downgrade=KEEP)])
    invoke(ini, "upgrade")
    ini.write_text(ini.read_text() + "migrate.lock_timeout = 5\n")
    invoke(ini, "downgrade", "base")
    assert rows(postgresql_url, "SELECT * FROM seen") == [("150ms",), ("5s",)]


@pytest.mark.parametrize(
    ("statement", "upgrade"),
    [
        ("CREATE INDEX CONCURRENTLY ix ON a (x)", ALONE),
        ("/* online */ create unique index\n concurrently if not exists ix on a (x);", ALONE),
        ("DROP INDEX CONCURRENTLY old", ALONE),
        ("REINDEX INDEX CONCURRENTLY old", ALONE),
        ("ALTER TABLE a VALIDATE CONSTRAINT positive", "{}\n"),
        ('ALTER TABLE IF EXISTS ONLY public."a" VALIDATE CONSTRAINT "positive";', "{}\n"),
        ("UPDATE a SET x = x + 1", ALONE),
    ],
)
def test_what_keeps_nobody_waiting_waits_for_as_long_as_it_takes(
    statement: str, upgrade: str, make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    change(
        postgresql_url,
        "CREATE TABLE seen (lock_timeout text)",
        "CREATE TABLE a (x int)",
        "CREATE INDEX old ON a (x)",
        "INSERT INTO a VALUES (1)",
        "ALTER TABLE a ADD CONSTRAINT positive CHECK (x > 0) NOT VALID",
    )
    body = upgrade.format(f"op.execute({statement!r})") + KEEP
    line = [Revision("aaa111"), Revision("bbb222", "aaa111", upgrade=body)]
    line.append(Revision("ccc333", "bbb222", upgrade=body.replace(statement, "SELECT 1")))
    ini = make_app(postgresql_url, line)
    invoke(ini, "upgrade", "aaa111")
    # What VALIDATE waits for; it keeps writers waiting no longer than its own transaction lasts.
    blocks = ["LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE", "UPDATE a SET x = 2"]
    with session(postgresql_url, *blocks) as other:
        running = start(ini, "upgrade")
        until(lambda: backends(postgresql_url, "wait_event_type = 'Lock'"))
        (pid,) = backends(postgresql_url, "wait_event_type = 'Lock'")
        threading.Event().wait(0.8)
        assert backends(postgresql_url, "wait_event_type = 'Lock'") == [pid]
        other.rollback()
        result = running.finish()
    assert (result.returncode, result.stderr.count("try ")) == (0, 0), result.stderr
    assert heads(postgresql_url) == {"ccc333"}
    assert rows(postgresql_url, "SELECT * FROM seen") == [("150ms",), ("150ms",)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE a ADD COLUMN y int; ALTER TABLE a VALIDATE CONSTRAINT positive",
        "ALTER TABLE a ADD COLUMN y text DEFAULT 'CONCURRENTLY'",
        "COMMENT ON TABLE a IS 'CREATE INDEX CONCURRENTLY'",
        'CREATE INDEX "CONCURRENTLY" ON a (x)',
        "ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0)",
    ],
)
def test_what_keeps_others_waiting_waits_briefly(
    statement: str, make_app: MakeApp, postgresql_url: str
) -> None:
    change(
        postgresql_url,
        "CREATE TABLE a (x int)",
        "ALTER TABLE a ADD CONSTRAINT positive CHECK (x > 0) NOT VALID",
    )
    line = [Revision("aaa111", upgrade=f"op.execute({statement!r})")]
    ini = make_app(postgresql_url, line, {"migrate.retries": "0"})
    with session(postgresql_url, "LOCK TABLE a"):
        result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert "canceling statement due to lock timeout" in result.stderr


def test_so_does_a_strong_lock_outside_a_transaction_also_after_a_statement_that_waited(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE a (x int)", "CREATE TABLE b (x int)")
    alter = "op.execute('ALTER TABLE a ADD y int')"
    body = f"op.execute('CREATE INDEX CONCURRENTLY ix ON b (x)')\n    {alter}"
    line = [Revision("aaa111", upgrade=ALONE.format(body))]
    ini = make_app(postgresql_url, line)
    with session(postgresql_url, "LOCK TABLE a"):
        result = invoke(ini, "upgrade")
    assert result.returncode == 9
    assert "canceling statement due to lock timeout (in: ALTER TABLE a" in result.stderr
    assert "CREATE INDEX CONCURRENTLY ix ON b (x)" in result.stderr
    assert "SET lock_timeout" not in result.stderr


@pytest.mark.parametrize("upgrade", ["{}\n", ALONE])
def test_a_revisions_own_lock_timeout_holds(
    upgrade: str, make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE seen (lock_timeout text)", "CREATE TABLE a (x int)")
    own = "op.execute(\"SET lock_timeout = '3s'\")"
    body = upgrade.format(
        f"{own}; op.execute('ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0) NOT VALID');"
        f" op.execute('ALTER TABLE a VALIDATE CONSTRAINT c'); {KEEP}"
    )
    invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=body)]), "upgrade")
    assert rows(postgresql_url, "SELECT * FROM seen") == [("3s",)]


def test_after_a_failure_that_the_revision_catches_the_wait_is_short_again(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE seen (lock_timeout text)", "CREATE TABLE a (x int)")
    caught = """\
    import contextlib
    with op.get_context().autocommit_block():
        with contextlib.suppress(Exception):
            op.execute('CREATE INDEX CONCURRENTLY ix ON missing (x)')
        op.execute('CREATE TABLE seen_alone AS SELECT 1')
        op.execute("INSERT INTO seen SELECT current_setting('lock_timeout')")
    with contextlib.suppress(Exception), op.get_bind().begin_nested():
        op.execute('ALTER TABLE a VALIDATE CONSTRAINT missing')
    """
    invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=caught + KEEP)]), "upgrade")
    # The INSERT outside a transaction waits for as long as it takes.
    assert rows(postgresql_url, "SELECT * FROM seen") == [("0",), ("150ms",)]


def test_a_lock_timeout_of_the_ini_file_holds_for_all_statements(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE a (x int)")
    body = ALONE.format("op.execute('CREATE INDEX CONCURRENTLY ix ON a (x)')")
    settings = {"migrate.lock_timeout": "0.3"}
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=body)], settings)
    with session(postgresql_url, "INSERT INTO a VALUES (1)"):
        result = invoke(ini, "upgrade")
    assert result.returncode == 9
    assert "canceling statement due to lock timeout" in result.stderr


def test_on_a_busy_server_a_lifted_timeout_is_not_taken_for_something_that_stays(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    """The statements that lift it are counted with those of the revision."""
    change(postgresql_url, "CREATE TABLE a (x int)", "CREATE TABLE others (x int)")
    body = ALONE.format("op.execute('UPDATE missing SET x = 1')")
    line = [Revision("aaa111"), Revision("bbb222", "aaa111", upgrade=body)]
    ini = make_app(postgresql_url, line)
    invoke(ini, "upgrade", "aaa111")
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            postgresql.execute(postgresql_url, "INSERT INTO others VALUES (1)")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        result = start(ini, "upgrade").finish()
    finally:
        stop.set()
        thread.join()
    assert result.returncode == 1, result.stderr
    assert "failed and was rolled back" in result.stderr

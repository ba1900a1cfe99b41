"""An invalid index is told, with what mends it, and never taken for one that a revision builds."""

import json
import threading
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from support.command import invoke
from support.database import change, heads, rows, tables
from support.history import MakeApp, Revision, create_table
from support.invalid_indexes import leave_invalid, two_alike
from support.processes import until
from support.sessions import others_commit, session

FIRST = Revision("aaa111", **create_table("t"))
NEXT = Revision("bbb222", "aaa111", "next", **create_table("b"))


def index(statement: str, *before: str) -> Revision:
    """Return a revision that executes `statement` outside a transaction, and `before` in one."""
    lines = [f"op.execute({each!r})" for each in before]
    lines += ["with op.get_context().autocommit_block():", f"    op.execute({statement!r})"]
    return Revision("bbb222", "aaa111", "index it", upgrade="\n".join(lines))


SKIPPING = index("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix ON a (x)")


def app_with_invalid_index(make_app: MakeApp, url: str, revision: Revision) -> Path:
    """Return an application at its first revision, with an invalid index `ix` on a table `a`."""
    ini = make_app(url, [FIRST, revision])
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    two_alike(url, "a")
    leave_invalid(url, "ix", "a")
    return ini


BEFORE = (
    "Warning: index ix of table a is invalid, so that no query uses it: `DROP INDEX CONCURRENTLY"
    " ix;` removes it, `REINDEX INDEX CONCURRENTLY ix;` builds it\n"
)
AFTER = BEFORE.replace("invalid, so that no query uses it", "still invalid")


def refusal(made: str) -> str:
    return (
        "Error: Revision bbb222 (index it) can't be applied: index ix of table a, which it"
        f" creates, is there already, and invalid (in: {made}).\n"
        "       The database stands at aaa111 (a change).\n"
        "       Left invalid, so that no query uses it: index ix.\n"
        "Hint:  run `DROP INDEX CONCURRENTLY ix;`; then run the command again.\n"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix ON a (x)",
        "CREATE UNIQUE INDEX CONCURRENTLY ix ON a (x)",
    ],
)
def test_a_rerun_over_an_index_that_was_left_invalid_fails_with_what_mends_it(
    make_app: MakeApp, postgresql_url: str, statement: str
) -> None:
    ini = make_app(postgresql_url, [FIRST, index(statement)])
    invoke(ini, "upgrade", "aaa111")
    two_alike(postgresql_url, "a")
    assert invoke(ini, "upgrade").returncode == 9  # two equal rows
    result = invoke(ini, "upgrade")
    assert (result.returncode, result.stdout) == (9, "")
    assert result.stderr == BEFORE + refusal(statement)
    assert heads(postgresql_url) == {"aaa111"}
    with session(postgresql_url) as administrator:
        administrator.rollback()
        administrator.autocommit = True
        administrator.cursor().execute("DELETE FROM a")
        administrator.cursor().execute("DROP INDEX CONCURRENTLY ix;")
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert "invalid" not in result.stderr
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix')"
    assert rows(postgresql_url, valid) == [(True,)]


def test_it_is_in_the_json_document(make_app: MakeApp, postgresql_url: str) -> None:
    ini = app_with_invalid_index(make_app, postgresql_url, SKIPPING)
    error = json.loads(invoke(ini, "upgrade", "--json").stdout)["error"]
    assert (error["code"], error["exit_code"]) == ("half_applied", 9)
    assert (error["rows"], error["committed"], error["invalid_indexes"]) == (
        ["aaa111"],
        [],
        ["ix"],
    )
    assert error["failed"] == "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix ON a (x)"
    assert error["hint"] == "run `DROP INDEX CONCURRENTLY ix;`; then run the command again."


def test_operations_of_alembic_are_refused_too_and_within_a_transaction(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = "op.execute('CREATE TABLE b (i int)')\nop.create_index('ix', 'a', ['x'])"
    revision = Revision("bbb222", "aaa111", "index it", upgrade=upgrade)
    ini = app_with_invalid_index(make_app, postgresql_url, revision)
    result = invoke(ini, "upgrade")
    assert result.returncode == 9
    assert result.stderr == BEFORE + refusal("CREATE INDEX ix ON a (x)")
    assert tables(postgresql_url) == {"a", "t", "alembic_version"}


def test_what_was_committed_before_it_is_told_with_it(
    make_app: MakeApp, postgresql_url: str
) -> None:
    revision = index(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON a (x)", "CREATE TABLE b (i int)"
    )
    ini = app_with_invalid_index(make_app, postgresql_url, revision)
    result = invoke(ini, "upgrade")
    assert result.returncode == 9
    assert (
        " Of bbb222, this was committed and stays:\n         CREATE TABLE b (i int)\n"
        in result.stderr
    )
    assert "Hint:  run `DROP INDEX CONCURRENTLY ix;`; undo by hand what was" in result.stderr


def test_a_revision_that_removes_it_first_goes_through(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = """\
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON a (x)")
    """
    revision = Revision("bbb222", "aaa111", upgrade=upgrade)
    ini = app_with_invalid_index(make_app, postgresql_url, revision)
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("invalid") == 1  # before


def test_an_index_that_is_invalid_before_a_run_is_told_before_and_after(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = app_with_invalid_index(make_app, postgresql_url, NEXT)
    result = invoke(ini, "upgrade")
    assert result.returncode == 0
    assert result.stderr.startswith(BEFORE)
    assert result.stderr.endswith(AFTER)
    down = invoke(ini, "downgrade", "base")
    assert down.returncode == 0
    assert f"\n{BEFORE}" in down.stderr
    assert down.stderr.endswith(AFTER)


def test_it_is_told_after_a_run_whose_revision_went_on_without_its_index(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = """\
    try:
        op.create_index('ix', 'a', ['x'])
    except Exception:
        pass
    """
    revision = Revision("bbb222", "aaa111", upgrade=upgrade)
    result = invoke(app_with_invalid_index(make_app, postgresql_url, revision), "upgrade")
    assert result.returncode == 0
    assert result.stderr.endswith(AFTER)


def test_it_is_told_after_a_run_that_fails_too(make_app: MakeApp, postgresql_url: str) -> None:
    failing = Revision("bbb222", "aaa111", upgrade="op.execute('SELECT 1 / 0')")
    ini = app_with_invalid_index(make_app, postgresql_url, failing)
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert result.stderr.startswith(BEFORE + AFTER + "Error: ")


def test_many_are_told_in_few_lines(make_app: MakeApp, postgresql_url: str) -> None:
    ini = app_with_invalid_index(make_app, postgresql_url, NEXT)
    for number in range(6):
        leave_invalid(postgresql_url, f"ix_{number}", "a")
    result = invoke(ini, "upgrade")
    told = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert len(told) == 12
    assert told[5] == "Warning: 2 more like that: ix_4, ix_5"


def test_an_index_of_that_name_in_another_schema_is_not_in_the_way(
    make_app: MakeApp, postgresql_url: str
) -> None:
    revision = index(
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix ON a (x)", "SET search_path = s"
    )
    ini = app_with_invalid_index(make_app, postgresql_url, revision)
    change(postgresql_url, "CREATE SCHEMA s", "CREATE TABLE s.a (x int)")
    change(postgresql_url, "CREATE TABLE s.alembic_version AS SELECT * FROM alembic_version")
    result = invoke(ini, "upgrade")
    assert "can't be applied" not in result.stderr
    assert rows(postgresql_url, "SELECT count(*) FROM pg_indexes WHERE schemaname = 's'") == [(1,)]


def test_an_index_that_another_session_builds_now_is_waited_for_and_not_dropped(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [FIRST, SKIPPING])
    invoke(ini, "upgrade", "aaa111")
    change(postgresql_url, "CREATE TABLE a (x int)")
    with (
        session(postgresql_url, "INSERT INTO a VALUES (1)") as writer,
        closing(psycopg2.connect(postgresql_url)) as other,
    ):
        other.autocommit = True
        build = "CREATE UNIQUE INDEX CONCURRENTLY ix ON a (x)"
        thread = threading.Thread(target=other.cursor().execute, args=(build,))
        thread.start()
        invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        until(lambda: rows(postgresql_url, invalid) == [(1,)])
        result = invoke(ini, "upgrade")
        writer.commit()
        thread.join()
    assert result.stderr == (
        "Error: Revision bbb222 (index it) failed and was rolled back: index ix of table a, which"
        " it creates, is being built or dropped by another session (in: CREATE UNIQUE INDEX"
        " CONCURRENTLY IF NOT EXISTS ix ON a (x)).\n"
        "       The database stands at aaa111 (a change).\n"
        "Hint:  wait until the other session has ended; then run the command again.\n"
    )
    assert result.returncode == 1
    assert invoke(ini, "upgrade").returncode == 0


def test_what_is_asked_for_it_is_not_taken_for_the_revisions_own_work(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """A failed CREATE INDEX that has left nothing is still known to have left nothing."""
    revision = index("CREATE INDEX CONCURRENTLY ix ON nowhere (x)")
    ini = make_app(postgresql_url, [FIRST, revision])
    invoke(ini, "upgrade", "aaa111")
    two_alike(postgresql_url, "a")
    leave_invalid(postgresql_url, "ix", "a")
    with others_commit(postgresql_url):
        result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert "failed and was rolled back" in result.stderr

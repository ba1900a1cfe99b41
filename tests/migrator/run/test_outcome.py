"""A run that did not get through tells exactly what stays, and how to go on."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import invoke, run
from support.database import change, heads, rows, tables
from support.history import MakeApp, Revision, create_table, foreign_env
from support.processes import Start, write_env
from support.sessions import AT_GATE, backends, gate, session, terminate, until_at_gate

TABLE = Revision("aaa111", **create_table("a"))
UNIQUE = Revision(
    "bbb222",
    "aaa111",
    "unique ids",
    upgrade="""\
    with op.get_context().autocommit_block():
        op.execute('CREATE UNIQUE INDEX CONCURRENTLY "Ix a" ON a (x)')
    """,
)
COMMENTED = Revision(
    "bbb222",
    "aaa111",
    "unique ids",
    upgrade="""\
    op.execute("COMMENT ON TABLE a IS 'c'")
    with op.get_context().autocommit_block():
        op.execute("CREATE TABLE b (id int)")
        op.execute('CREATE UNIQUE INDEX CONCURRENTLY ix_a ON a (x)')
    """,
)
TWO_ALIKE = ("ALTER TABLE a ADD x int DEFAULT 1", "INSERT INTO a VALUES (1), (2)")


def prepared(ini: Path, url: str) -> Path:
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    change(url, *TWO_ALIKE)
    return ini


def test_an_index_that_could_not_be_built_concurrently_is_told_with_its_repair(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = prepared(make_app(postgresql_url, [TABLE, UNIQUE]), postgresql_url)
    result = run(ini, "upgrade")
    path = ini.parent / "migrations/versions/bbb222_.py"
    assert (result.returncode, result.stdout) == (9, "")
    assert result.stderr == (
        "Error: Revision bbb222 (unique ids) failed outside a transaction: could not create unique"
        ' index "Ix a": Key (x)=(1) is duplicated (in: CREATE UNIQUE INDEX CONCURRENTLY "Ix a"'
        " ON a (x)).\n"
        "       The database stands at aaa111 (a change).\n"
        '       Left invalid, so that no query uses it: index "Ix a".\n'
        'Hint:  run `DROP INDEX CONCURRENTLY "Ix a";`; fix the cause in'
        f" {path} (line 14); then run the command again.\n"
    )
    assert heads(postgresql_url) == {"aaa111"}


def test_the_repair_works_when_it_is_followed(make_app: MakeApp, postgresql_url: str) -> None:
    ini = prepared(make_app(postgresql_url, [TABLE, UNIQUE]), postgresql_url)
    hint = invoke(ini, "upgrade").stderr.partition("Hint:")[2]
    (command,) = re.findall(r"run `(.*?);`", hint)
    change(postgresql_url, "DELETE FROM a WHERE id = 2")
    # Without it, the index is in the way.
    assert invoke(ini, "upgrade").returncode == 9
    with session(postgresql_url) as administrator:
        administrator.rollback()
        administrator.autocommit = True
        administrator.cursor().execute(command)
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert heads(postgresql_url) == {"bbb222"}
    assert rows(postgresql_url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]


def test_the_json_document_holds_what_was_committed_what_failed_and_what_is_invalid(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = prepared(make_app(postgresql_url, [TABLE, COMMENTED]), postgresql_url)
    result = invoke(ini, "upgrade", "--json")
    error = json.loads(result.stdout)["error"]
    assert result.returncode == error["exit_code"] == 9
    assert error["code"] == "half_applied"
    assert error["rows"] == ["aaa111"]
    assert error["committed"] == ["COMMENT ON TABLE a IS 'c'", "CREATE TABLE b (id int)"]
    assert error["failed"] == "CREATE UNIQUE INDEX CONCURRENTLY ix_a ON a (x)"
    assert error["invalid_indexes"] == ["ix_a"]
    assert error["hint"].startswith(
        "run `DROP INDEX CONCURRENTLY ix_a;`; undo by hand what was committed, or let "
    )
    assert "b" in tables(postgresql_url)


def test_an_index_left_invalid_by_a_run_that_got_through_is_reported(
    make_app: MakeApp, postgresql_url: str
) -> None:
    swallowing = Revision(
        "bbb222",
        "aaa111",
        upgrade="""\
        with op.get_context().autocommit_block():
            try:
                op.execute('CREATE UNIQUE INDEX CONCURRENTLY ix_a ON a (x)')
            except sa.exc.IntegrityError:
                pass
        """,
    )
    ini = prepared(make_app(postgresql_url, [TABLE, swallowing]), postgresql_url)
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert result.stderr.endswith(
        "\nWarning: index ix_a of table a was left invalid by this run, so that no query uses it:"
        " `DROP INDEX CONCURRENTLY ix_a;` removes it, `REINDEX INDEX CONCURRENTLY ix_a;` builds"
        " it\n"
    )


def test_an_index_that_was_invalid_before_the_run_is_not_its_own(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = prepared(make_app(postgresql_url, [TABLE, UNIQUE]), postgresql_url)
    assert invoke(ini, "upgrade").returncode == 9
    (ini.parent / "migrations/versions/bbb222_.py").unlink()
    result = invoke(ini, "downgrade", "base", "--sql")  # and nothing is asked of the database
    assert "invalid" not in result.stderr
    result = invoke(ini, "stamp", "aaa111")
    assert (result.returncode, result.stderr) == (0, "")


def test_the_index_of_a_partitioned_table_is_not_taken_for_a_failed_one(
    make_app: MakeApp, postgresql_url: str
) -> None:
    upgrade = """\
    op.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id)")
    op.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)")
    op.execute("CREATE INDEX ix_p ON ONLY p (id)")
    """
    result = invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=upgrade)]), "upgrade")
    assert result.returncode == 0
    assert "invalid" not in result.stderr


def test_a_connection_that_is_cut_in_a_revision_rolls_it_back(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    gated = Revision("bbb222", "aaa111", upgrade=f"op.execute('CREATE TABLE b (i int)')\n{AT_GATE}")
    ini = make_app(postgresql_url, [TABLE, gated], {"migrate.lock_timeout": "0"})
    with gate(postgresql_url):
        running = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        terminate(postgresql_url, *backends(postgresql_url, "query LIKE '%xact_lock(4242)%'"))
        result = running.finish()
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    assert re.search(
        r"\nError: Revision bbb222 \(a change\) failed and was rolled back: [^\n]*"
        r" \(in: SELECT pg_advisory_xact_lock\(4242\)\)\.\n"
        r"       The database stands at aaa111 \(a change\)\.\n",
        result.stderr,
    )
    assert (heads(postgresql_url), "b" in tables(postgresql_url)) == ({"aaa111"}, False)
    assert invoke(ini, "upgrade").returncode == 0


def test_a_run_that_fails_after_its_commit_does_not_claim_a_rollback(
    make_app: MakeApp, postgresql_url: str
) -> None:
    # The connection is cut between the commit and what comes next in the same step.
    cut = """\
    from sqlalchemy import event
    connection = op.get_bind()
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()

    def after_commit(conn):
        conn.connection.driver_connection.commit()
        raise RuntimeError("the answer to COMMIT was lost")

    event.listen(connection, "commit", after_commit)
    """
    ini = make_app(postgresql_url, [TABLE, Revision("bbb222", "aaa111", upgrade=cut)])
    result = invoke(ini, "upgrade")
    assert heads(postgresql_url) == {"bbb222"}
    assert result.returncode == 1
    assert (
        "Error: Revision bbb222 (a change) was committed, and then the run failed: RuntimeError:"
        " the answer to COMMIT was lost.\n       The database stands at bbb222 (a change).\n"
    ) in result.stderr


@pytest.mark.parametrize("transaction", ["revision", "single"])
def test_no_statement_of_ours_opens_a_transaction_before_alembic_looks(
    transaction: str, make_app: MakeApp, database_url: str
) -> None:
    # Alembic would leave `transaction_per_migration` off, silently: one transaction for all.
    failing = Revision("bbb222", "aaa111", upgrade="raise ValueError(1)")
    settings = {"migrate.transaction": transaction, "migrate.statement_timeout": "60"}
    ini = make_app(database_url, [TABLE, failing], settings)
    write_env(
        ini,
        "from alembic import context\n"
        "from myapp.migrator.environment import run_migrations\n"
        "configure = context.configure\n"
        "def look(connection, **options):\n"
        "    assert not connection.in_transaction(), 'in a transaction'\n"
        "    configure(connection=connection, **options)\n"
        "context.configure = look\n"
        "try:\n"
        "    run_migrations()\n"
        "finally:\n"
        "    context.configure = configure\n",
    )
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert "ValueError: 1" in result.stderr
    kept = {"aaa111"} if transaction == "revision" else set()
    standing = rows(database_url, "SELECT version_num FROM alembic_version") if kept else []
    assert {row[0] for row in standing} == kept


def test_an_env_py_that_persists_nothing_is_found_out_though_another_run_did_something(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    line = [
        Revision("aaa111", upgrade=AT_GATE),
        Revision("bbb222", "aaa111", **create_table("b")),
    ]
    ini = make_app(postgresql_url, line, {"migrate.lock_timeout": "0"})
    with gate(postgresql_url):
        first = start(ini, "upgrade", "aaa111")
        until_at_gate(postgresql_url)
        write_env(ini, foreign_env("", before="connection.execute(text('SELECT 1'))"))
        second = start(ini, "upgrade")
        second.until_told("waiting for another run")
    assert first.finish().returncode == 0
    result = second.finish()
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-2:] == [
        "Error: env.py reported success, but nothing was committed: the database stands at aaa111"
        " (a change).",
        "Hint:  in env.py, run no statement on the connection before `context.configure()`, or"
        " commit it.",
    ]
    assert "b" not in tables(postgresql_url)


@pytest.fixture(params=["an env.py of another app", "migrate.transaction = single"])
def in_one_transaction(
    request: pytest.FixtureRequest, make_app: MakeApp, postgresql_url: str
) -> Callable[[str], Path]:
    """Make an application whose fourth revision has the given body."""

    def make(body: str) -> Path:
        line = [Revision(f"r00{n}", f"r00{n - 1}" if n else None) for n in range(3)]
        last = Revision("r003", "r002", "the last", upgrade=body)
        if request.param != "an env.py of another app":
            return make_app(postgresql_url, [*line, last], {"migrate.transaction": "single"})
        ini = make_app(postgresql_url, [*line, last])
        write_env(ini, foreign_env(""))
        return ini

    return make


@pytest.mark.parametrize(
    ("from_", "undone", "stands"),
    [
        (None, "3 revisions that had run were", "base (no revision)"),
        ("r001", "1 revision that had run was", "r001 (a change)"),
    ],
)
def test_revisions_that_went_back_with_the_one_that_failed_are_counted(
    from_: str | None, undone: str, stands: str, in_one_transaction: Callable[[str], Path]
) -> None:
    ini = in_one_transaction("raise ValueError('boo')")
    if from_:
        invoke(ini, "upgrade", from_)
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert result.stderr.partition("Error: ")[2].partition("Hint:")[0] == (
        "Revision r003 (the last) failed and was rolled back: ValueError: boo.\n"
        f"       The run was one transaction, so {undone} rolled back.\n"
        f"       The database stands at {stands}.\n"
    )


def test_so_are_those_that_went_back_with_an_interrupted_one(
    in_one_transaction: Callable[[str], Path],
) -> None:
    result = invoke(in_one_transaction("raise KeyboardInterrupt"), "upgrade")
    assert result.returncode == 130
    assert result.stderr.partition("Error: ")[2] == (
        "Interrupted in revision r003 (the last). The run was one transaction, so 3 revisions that"
        " had run were rolled back.\n       The database stands at base (no revision).\n"
    )


def test_no_revision_is_told_as_undone_that_stays(make_app: MakeApp, database_url: str) -> None:
    failing = Revision("bbb222", "aaa111", upgrade="raise ValueError")
    result = invoke(make_app(database_url, [TABLE, failing]), "upgrade")
    assert "one transaction" not in result.stderr
    assert "The database stands at aaa111" in result.stderr

"""What the tracer sees of each statement: whose locks are held, how long, and by whom."""

import time
from collections.abc import Callable
from contextlib import closing

import psycopg2
import psycopg2.errors
import pytest
from support.database import change
from support.history import MakeApp, Revision, foreign_env

from myapp.migrator.base.traces import MODES, TracedRevision, TracedStatement, waiting_for
from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.commands.tracing import observe
from myapp.migrator.database.lock_trace import LockTrace
from myapp.migrator.settings.settings import load_settings

MADE = """
op.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer)")
op.execute("CREATE TABLE u (id integer PRIMARY KEY)")
op.execute("CREATE INDEX t_a ON t (a)")
"""
Traced = Callable[..., list[TracedRevision]]


@pytest.fixture
def traced(make_app: MakeApp, postgresql_url: str) -> Traced:
    """Trace revisions with these bodies, after the one that makes the tables."""

    def run(*bodies: str) -> list[TracedRevision]:
        ids = [f"r{number:02}" for number in range(len(bodies) + 1)]
        revisions = [
            Revision(id_, down, upgrade=body)
            for id_, down, body in zip(ids, [None, *ids], [MADE, *bodies], strict=False)
        ]
        context = build_context(load_settings(str(make_app(postgresql_url, revisions))))
        trace = observe(context, ("r00",))
        assert trace.error is None
        return list(trace.revisions)

    return run


def locks(statement: TracedStatement) -> dict[str, str | None]:
    return {each.name: each.mode for each in statement.touched if not each.is_index}


def test_a_revision_that_uses_the_driver_only_is_seen(traced: Traced) -> None:
    (revision,) = traced(
        "import io\n"
        'op.get_bind().connection.cursor().copy_expert("COPY t FROM STDIN", io.StringIO("1\\t2"))'
    )

    (copy,) = revision.statements
    assert (copy.sql, locks(copy)) == ("", {"t": "ROW EXCLUSIVE"})


def test_locks_are_let_go_with_a_savepoint(traced: Traced) -> None:
    (revision,) = traced(
        "with op.get_bind().begin_nested() as savepoint:\n"
        '    op.execute("ALTER TABLE t ADD z integer")\n'
        '    op.execute("SELECT 1")\n'
        "    savepoint.rollback()\n"
        'op.execute("ALTER TABLE t ADD y integer")\n'
        'op.execute("SELECT 1")'
    )

    undone, kept = [each for each in revision.statements if each.touched]
    assert locks(undone) == locks(kept) == {"t": "ACCESS EXCLUSIVE"}
    assert (undone.is_undone, undone.following) == (True, 1)
    assert (kept.is_undone, kept.following) == (False, 1)


def test_a_savepoint_lets_a_lock_go_for_each_statement_that_used_it(traced: Traced) -> None:
    (revision,) = traced(
        "with op.get_bind().begin_nested() as savepoint:\n"
        '    op.execute("ALTER TABLE t ADD z integer")\n'
        '    op.execute("ALTER TABLE t DROP z")\n'
        "    savepoint.rollback()"
    )

    told = [(each.is_undone, each.following) for each in revision.statements if each.touched]
    assert told == [(True, 1), (True, 0)]


def test_a_transaction_of_the_whole_run_holds_its_locks_to_the_end(
    make_app: MakeApp, postgresql_url: str
) -> None:
    revisions = [
        Revision("r00", upgrade=MADE),
        Revision("r01", "r00", upgrade='op.execute("ALTER TABLE t ADD z integer")'),
        Revision("r02", "r01", upgrade='op.execute("SELECT 1")\nop.execute("SELECT 2")'),
    ]
    app = make_app(postgresql_url, revisions)
    env = foreign_env(options="transaction_per_migration=False")
    (app.parent / "migrations" / "env.py").write_text(env)

    first, second = observe(build_context(load_settings(str(app))), ("r00",)).revisions

    assert [each.following for each in first.statements] == [2]
    assert [(each.transaction, each.following) for each in second.statements] == [(1, 1), (1, 0)]


def test_each_connection_has_a_transaction_of_its_own(traced: Traced) -> None:
    (revision,) = traced(
        'op.execute("SELECT 1")\n'
        "with op.get_bind().engine.connect() as other:\n"
        '    other.execute(sa.text("SELECT 2"))\n'
        '    op.execute("SELECT 3")\n'
        '    other.execute(sa.text("SELECT 4"))'
    )

    assert [(each.sql[-1], each.transaction) for each in revision.statements] == [
        ("1", 1),
        ("2", 2),
        ("3", 1),
        ("4", 2),
    ]


def test_nobody_watches_a_connection_after_its_revision(traced: Traced) -> None:
    watching = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE '%bigint, mode FROM pg_locks WHERE pid = %' AND pid <> pg_backend_pid()"
    )
    opens = 'with op.get_bind().engine.connect() as c:\n    c.execute(sa.text("SELECT 1"))'

    traced(
        *[opens] * 3,
        # The server takes a moment to end a session.
        "import time\n"
        "for _ in range(60):\n"
        f'    count = op.get_bind().execute(sa.text("{watching}")).scalar()\n'
        "    op.execute('SELECT pg_stat_clear_snapshot()')\n"
        "    if count == 1: break\n"
        "    time.sleep(0.05)\n"
        "assert count == 1, count",
    )


def test_what_others_wait_for_is_seen_outside_a_transaction_each_time(traced: Traced) -> None:
    (revision,) = traced(
        "with op.get_context().autocommit_block():\n"
        "    for number in range(8):\n"
        '        op.execute(f"CREATE INDEX t_{number} ON t (a)")\n'
        '    op.execute("REINDEX INDEX t_a")'
    )

    *built, again = revision.statements
    assert [locks(each) for each in built] == [{"t": "SHARE"}] * 8
    (index,) = [each for each in again.touched if each.is_index]
    assert (index.name, index.mode) == ("t_a", "ACCESS EXCLUSIVE")


def test_a_commit_that_is_a_statement_ends_the_transaction(traced: Traced) -> None:
    (revision,) = traced(
        'op.execute("LOCK TABLE t IN SHARE MODE")\n'
        'op.execute("COMMIT")\n'
        'op.execute("CREATE INDEX CONCURRENTLY u_id ON u (id)")\n'
        'op.execute("CREATE INDEX u_id2 ON u (id)")'
    )

    locked, _, concurrent, plain = revision.statements
    assert (locked.is_undone, locked.following, locked.transaction) == (False, 0, 1)
    assert [each.transaction for each in (concurrent, plain)] == [None, None]
    assert (locks(concurrent), locks(plain)) == ({"u": "SHARE UPDATE EXCLUSIVE"}, {"u": "SHARE"})


def test_a_table_that_is_locked_meanwhile_hides_no_other(traced: Traced) -> None:
    (revision,) = traced(
        "other = op.get_bind().engine.connect()\n"
        'other.execute(sa.text("LOCK TABLE t IN ACCESS EXCLUSIVE MODE"))\n'
        "with op.get_context().autocommit_block():\n"
        "    for number in range(4):\n"
        '        op.execute(f"CREATE INDEX u_{number} ON u (id)")\n'
        "other.close()"
    )

    _, *built = revision.statements
    assert [locks(each) for each in built] == [{"u": "SHARE"}] * 4


def test_an_index_that_nobody_uses_any_more_keeps_nobody_waiting(traced: Traced) -> None:
    (revision,) = traced(
        "with op.get_context().autocommit_block():\n"
        "    for number in range(4):\n"
        '        op.execute("REINDEX INDEX CONCURRENTLY t_a")\n'
        '    op.execute("DROP INDEX CONCURRENTLY t_a")'
    )

    assert [each.waiting for each in revision.statements] == [()] * 5


def test_a_statement_that_fails_outside_a_transaction_is_let_go(traced: Traced) -> None:
    (revision,) = traced(
        "other = op.get_bind().engine.connect()\n"
        "with op.get_context().autocommit_block():\n"
        "    try:\n"
        '        op.execute("SELECT 1 / 0")\n'
        "    except sa.exc.DataError:\n"
        '        other.execute(sa.text("ALTER TABLE t ADD z integer"))\n'
        "other.close()"
    )

    (altered,) = revision.statements
    assert locks(altered) == {"t": "ACCESS EXCLUSIVE"}


def test_looking_takes_no_time_of_a_lock(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    held = LockTrace.held

    def slowly(self: LockTrace) -> dict[int, int]:
        time.sleep(0.3)
        return held(self)

    monkeypatch.setattr(LockTrace, "held", slowly)

    (revision,) = traced('op.execute("ALTER TABLE t ADD z integer")\nop.execute("SELECT 1")')

    assert 0 < revision.statements[0].seconds < 0.3


def test_new_names_lead_to_the_first_ones(traced: Traced) -> None:
    (revision,) = traced('op.rename_table("t", "t2")\nop.execute("ALTER TABLE t2 ADD z integer")')

    assert revision.renamed["t2"] == "t"


def test_who_waits_is_who_would_wait(postgresql_url: str) -> None:
    statements = {
        "SELECT": "SELECT FROM t",
        "INSERT": "INSERT INTO t VALUES (1)",
        "UPDATE": "UPDATE t SET a = 1",
        "DELETE": "DELETE FROM t",
    }
    change(postgresql_url, "CREATE TABLE t (a integer)")
    found: dict[str, set[str]] = {mode: set() for mode in MODES}
    with (
        closing(psycopg2.connect(postgresql_url)) as holder,
        closing(psycopg2.connect(postgresql_url, options="-c lock_timeout=10")) as other,
    ):
        for mode in MODES:
            holder.cursor().execute(f"LOCK TABLE t IN {mode} MODE")
            for kind, statement in statements.items():
                try:
                    other.cursor().execute(statement)
                except psycopg2.errors.LockNotAvailable:
                    found[mode].add(kind)
                other.rollback()
            holder.rollback()

    told = {mode: {one for kind in waiting_for(mode) for one in kind.split("/")} for mode in MODES}
    assert told == found

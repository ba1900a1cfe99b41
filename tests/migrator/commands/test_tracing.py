"""`plan --trace`: what revisions are seen to do in a scratch database, and the safe ways."""

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from support.history import MakeApp, Revision, foreign_env

from myapp.migrator.base.traces import Trace
from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.commands.tracing import observe
from myapp.migrator.settings.settings import load_settings

#: Each dangerous statement on a table `t` of its own, by the rule that it breaks.
DANGEROUS = {
    "index-not-concurrent": 'op.create_index("{t}_i", "{t}", ["a", sa.text("lower(b)")])',
    "foreign-key-validated-at-once": (
        'op.create_foreign_key("{t}_f", "{t}", "other", ["a"], ["id"], ondelete="CASCADE")'
    ),
    "check-validated-at-once": (
        """op.create_check_constraint("{t}_c", "{t}", "a > 0 AND b <> 'x:y'")"""
    ),
    "set-not-null-scans": 'op.alter_column("{t}", "a", nullable=False)',
    "unique-constraint-builds-index": 'op.create_unique_constraint("{t}_u", "{t}", ["a", "b"])',
    "primary-key-builds-index": 'op.create_primary_key("{t}_p", "{t}", ["a"])',
    "type-change-rewrites": 'op.alter_column("{t}", "a", type_=sa.BigInteger())',
    "column-default-rewrites": (
        'op.add_column("{t}", sa.Column("at", sa.DateTime(), nullable=False,'
        ' server_default=sa.text("clock_timestamp()")))'
    ),
    "rename-table": 'op.rename_table("{t}", "{t}_new")',
    "rename-column": 'op.alter_column("{t}", "a", new_column_name="z")',
    "drop-table": 'op.drop_table("{t}")',
    "drop-column": 'op.drop_column("{t}", "b")',
    "rows-changed-under-lock": (
        'op.add_column("{t}", sa.Column("n", sa.Integer()))\nop.execute("UPDATE {t} SET n = a + 1")'
    ),
    "several-tables-locked": (
        'op.add_column("{t}", sa.Column("n", sa.Integer()))\n'
        'op.add_column("other", sa.Column("n", sa.Integer()))'
    ),
}
TABLES = [f"t{number}" for number in range(len(DANGEROUS))]
MADE = "\n".join(
    [
        'op.execute("CREATE TABLE other (id integer PRIMARY KEY)")',
        'op.execute("INSERT INTO other VALUES (1)")',
        *(
            f'op.execute("CREATE TABLE {table} (a integer, b text);'
            f" INSERT INTO {table} VALUES (1, 'b')\")"
            for table in TABLES
        ),
    ]
)
Traced = Callable[..., Trace]


@pytest.fixture
def traced(make_app: MakeApp, postgresql_url: str) -> Traced:
    """Trace revisions with these bodies, after the one that makes the tables."""

    def run(*bodies: str) -> Trace:
        ids = [f"r{number:02}" for number in range(len(bodies) + 1)]
        revisions = [
            Revision(id_, down, upgrade=body)
            for id_, down, body in zip(ids, [None, *ids], [MADE, *bodies], strict=False)
        ]
        context = build_context(load_settings(str(make_app(postgresql_url, revisions))))
        return observe(context, ("r00",))

    return run


def test_a_statement_is_told_with_its_locks_and_who_waits(traced: Traced) -> None:
    trace = traced('op.execute("ALTER TABLE t0 ALTER a SET NOT NULL")\nop.execute("SELECT 1")')

    (revision,) = trace.revisions
    first, second = revision.statements
    (table,) = first.touched
    assert (table.name, table.mode, table.is_scanned) == ("t0", "ACCESS EXCLUSIVE", True)
    assert not table.is_rewritten
    assert first.waiting == ("SELECT", "INSERT/UPDATE/DELETE")
    assert (first.transaction, first.following, first.line) == (1, 1, 13)
    assert (first.judgement, second.judgement) == ("dangerous", "harmless")
    assert second.touched == ()


def test_each_danger_is_found(traced: Traced) -> None:
    trace = traced(*(code.format(t=t) for t, code in zip(TABLES, DANGEROUS.values(), strict=True)))

    assert trace.error is None
    found = [[each.rule for each in one.findings] for one in trace.revisions]
    assert found == [[rule] for rule in DANGEROUS]
    assert all(each.remedy for each in trace.findings)


def test_statements_that_are_sent_at_once_are_judged_one_by_one(traced: Traced) -> None:
    renamed = "ALTER TABLE t0 RENAME TO t0_new; CREATE VIEW t0 AS SELECT * FROM t0_new"
    bound = "ALTER TABLE t1 ADD c integer; ALTER TABLE t1 ALTER a SET NOT NULL;"

    trace = traced(f'op.execute("{renamed}")', f'op.execute("{bound}")')

    first, second = trace.revisions
    assert [each.rule for each in first.findings] == []
    (found,) = second.findings
    assert found.rule == "set-not-null-scans"
    assert found.remedy.startswith("op.create_check_constraint(")


def test_what_runs_outside_a_transaction_is_watched(traced: Traced) -> None:
    trace = traced(
        "with op.get_context().autocommit_block():\n"
        '    op.create_index("t0_a", "t0", ["a"], postgresql_concurrently=True)\n'
        '    op.execute("ALTER TABLE t0 ALTER a SET NOT NULL")'
    )

    index, not_null = trace.revisions[0].statements
    assert (index.transaction, index.may_have_missed, index.judgement) == (None, False, "harmless")
    assert [(each.name, each.mode) for each in index.touched] == [("t0", "SHARE UPDATE EXCLUSIVE")]
    assert not_null.touched[0].is_scanned


@pytest.mark.parametrize(
    ("first", "second", "rules"),
    [
        ("ALTER TABLE t0 ADD n integer", "ALTER TABLE t0 DROP COLUMN b", ["drop-column"]),
        ("ALTER TABLE t0 ADD n integer", 'alter table only "t0" rename a to z', ["rename-column"]),
        ("ALTER TABLE t0 ADD n integer", "DROP TABLE IF EXISTS public.t0", ["drop-table"]),
        ("LOCK TABLE t0", "ALTER TABLE T0 RENAME TO gone", ["rename-table"]),
        ("ALTER TABLE t0 ADD n integer", "ALTER TABLE t0 ADD CHECK (n > 0) NOT VALID", []),
        ("LOCK TABLE t0", "COMMENT ON COLUMN public.t0.a IS 'of t1'", []),
        ("LOCK TABLE t0", "DO $$ BEGIN ALTER TABLE t0 ADD n integer; END $$", []),
        ("LOCK TABLE t0", "INSERT INTO t0 VALUES (2, 'b')", []),
    ],
)
def test_a_lock_that_is_held_already_is_judged_like_a_new_one(
    traced: Traced, first: str, second: str, rules: list[str]
) -> None:
    trace = traced(f"op.execute({first!r})\nop.execute({second!r})")

    locked, again = (each.touched[0] for each in trace.revisions[0].statements)
    assert (locked.name, locked.mode, locked.is_new) == ("t0", "ACCESS EXCLUSIVE", True)
    assert (again.name, again.mode, again.is_new) == ("t0", "ACCESS EXCLUSIVE", False)
    assert [each.rule for each in trace.findings] == rules


def test_a_new_table_is_nobodys(traced: Traced) -> None:
    trace = traced(
        'op.create_table("fresh", sa.Column("a", sa.Integer()))',
        'op.create_index("i", "fresh", ["a"])\nop.drop_table("fresh")',
    )

    assert [s.touched for one in trace.revisions for s in one.statements] == [(), (), ()]
    assert trace.findings == ()


def test_a_loop_and_data_are_traced_as_they_run(traced: Traced) -> None:
    trace = traced(
        'for (a,) in op.get_bind().execute(sa.text("SELECT a FROM t0")).all():\n'
        '    op.get_bind().execute(sa.text("UPDATE t1 SET b = :b WHERE a = :a"), dict(a=a, b="c"))'
    )

    read, write = trace.revisions[0].statements
    assert (read.touched[0].mode, write.touched[0].mode) == ("ACCESS SHARE", "ROW EXCLUSIVE")
    assert (read.waiting, write.waiting) == ((), ())


def test_what_goes_past_sqlalchemy_is_an_unseen_statement(traced: Traced) -> None:
    trace = traced(
        "cursor = op.get_bind().connection.cursor()\n"
        'op.execute("SELECT 1")\n'
        'cursor.execute("LOCK TABLE t0 IN SHARE MODE")'
    )

    _, unseen = trace.revisions[0].statements
    assert (unseen.sql, unseen.line) == ("", None)
    assert [(each.name, each.mode) for each in unseen.touched] == [("t0", "SHARE")]


def test_a_revision_that_fails_ends_the_trace_and_leaves_nothing(
    traced: Traced, postgresql_url: str
) -> None:
    before = databases(postgresql_url)

    trace = traced('op.execute("SELECT 1")', 'op.execute("SELECT 2")\nraise ValueError("no")')

    assert trace.error is not None
    assert trace.error.startswith(
        "r02 (a change) failed in the scratch database; the live one is untouched."
    )
    assert [[s.sql for s in one.statements] for one in trace.revisions] == [
        ["SELECT 1"],
        ["SELECT 2"],
    ]
    assert databases(postgresql_url) - before == set()


def test_a_comment_allows_a_rule(traced: Traced) -> None:
    trace = traced('# migrate: allow drop-table because it was never used\nop.drop_table("t0")')

    (found,) = trace.findings
    assert (found.rule, found.allowed) == ("drop-table", "it was never used")


def test_sqlite_says_what_is_copied_as_a_whole(make_app: MakeApp, sqlite_url: str) -> None:
    batch = 'with op.batch_alter_table("t0") as b: b.alter_column("a", nullable=False)'
    revisions = [Revision("r00", upgrade=MADE.replace(";", '"); op.execute("'))]
    app = make_app(sqlite_url, [*revisions, Revision("r01", "r00", upgrade=batch)])

    trace = observe(build_context(load_settings(str(app))), ("r00",))

    assert trace.notes
    (found,) = trace.findings
    assert (found.rule, found.level, found.remedy) == ("rewrite-under-lock", "warning", "")
    assert [
        each.name for s in trace.revisions[0].statements for each in s.touched if each.is_rewritten
    ] == ["t0"]


def databases(url: str) -> set[str]:
    """Return the names of the server's databases, without the templates of scratch databases."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database ")
        names = {name for (name,) in cursor.fetchall()}
        return {name for name in names if not name.startswith("migrate_template_")}


def test_an_env_py_of_ones_own_is_traced_too(make_app: MakeApp, postgresql_url: str) -> None:
    code = 'op.execute("ALTER TABLE t0 ALTER a SET NOT NULL")'
    revisions = [Revision("r00", upgrade=MADE), Revision("r01", "r00", upgrade=code)]
    app = make_app(postgresql_url, revisions)
    (app.parent / "migrations" / "env.py").write_text(foreign_env())

    trace = observe(build_context(load_settings(str(app))), ("r00",))

    assert [each.rule for each in trace.findings] == ["set-not-null-scans"]

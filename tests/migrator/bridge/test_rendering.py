"""A revision written as SQL: what it sends, and where it needs a database."""

from pathlib import Path
from textwrap import dedent

import pytest
from support.database import tables
from support.history import MakeApp, Revision, foreign_env

from myapp.migrator.base.plans import PlannedRevision, Unrendered
from myapp.migrator.base.sent import Sent
from myapp.migrator.commands.planning import plan
from myapp.migrator.config import run_context

POSTGRESQL = "postgresql://nobody@127.0.0.1:1/lost"
#: The line on which the body of `upgrade` begins.
FIRST = 13
ASKS = "it asks the database, and goes by the answer"


def written(make_app: MakeApp, code: str, url: str = POSTGRESQL) -> PlannedRevision:
    app = make_app(url, [Revision("aaa111", upgrade=dedent(code))])
    (revision,) = plan(run_context(app), start="base").revisions
    return revision


def test_each_statement_has_its_line_and_its_transaction(make_app: MakeApp) -> None:
    code = """
        op.add_column("users", sa.Column("email", sa.Text))
        with op.get_context().autocommit_block():
            op.create_index("i", "users", ["email"], postgresql_concurrently=True)
        op.execute("UPDATE users SET email = 'a%b;'")
        """
    made = written(make_app, code)

    assert made.statements == (
        Sent("ALTER TABLE users ADD COLUMN email TEXT", FIRST),
        Sent("CREATE INDEX CONCURRENTLY i ON users (email)", FIRST + 2, is_transactional=False),
        Sent("UPDATE users SET email = 'a%b;'", FIRST + 3),
    )
    assert not made.is_transactional


@pytest.mark.parametrize(
    ("code", "sql"),
    [
        ("op.get_bind().execute(sa.text('DELETE FROM a'))", "DELETE FROM a"),
        (
            "op.get_bind().execute(sa.text('DELETE FROM a WHERE b = :c'), {'c': \"it's\"})",
            "DELETE FROM a WHERE b = 'it''s'",
        ),
        ("op.get_bind().exec_driver_sql(\"SELECT ':x'\")", "SELECT ':x'"),
        (
            "op.get_bind().execute(sa.insert(sa.table('a', sa.column('b'))), [{'b': 1}])",
            "INSERT INTO a (b) VALUES (1)",
        ),
        ("sa.Enum('x', name='mood').create(op.get_bind())", "CREATE TYPE mood AS ENUM ('x')"),
        (
            "from alembic import context\n"
            "op.execute(f'SELECT {context.is_offline_mode()}, {context.get_x_argument()}')",
            "SELECT True, []",
        ),
    ],
)
def test_what_needs_no_answer_is_written(make_app: MakeApp, code: str, sql: str) -> None:
    made = written(make_app, code)

    assert ([each.sql for each in made.statements], made.unrendered) == ([sql], None)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("[*op.get_bind().execute(sa.text('SELECT 1'))]", ASKS),
        ("op.get_bind().execute(sa.text('SELECT 1')).fetchall()", ASKS),
        ("op.get_bind().execute(sa.text('SELECT 1')) and 1", ASKS),
        ("op.get_bind().scalar(sa.text('SELECT 1'))", ASKS),
        ("op.get_bind().exec_driver_sql('SELECT %s', (1,))", ASKS),
        ("sa.inspect(op.get_bind()).get_table_names()", ASKS),
        ("import alembic\nalembic.context.get_bind().begin()", ASKS),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('no')", "SystemExit: no"),
        (
            "sa.create_engine('sqlite:///made.sqlite').connect()",
            "it opens a connection of its own",
        ),
    ],
)
def test_what_needs_the_database_is_told_with_its_line(
    make_app: MakeApp, code: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    made = written(make_app, f"op.execute('SELECT 0')\n{code}")

    assert made.unrendered == Unrendered(FIRST + 1 + code.count("\n"), why)
    assert made.statements[0].sql == "SELECT 0"
    assert not (tmp_path / "made.sqlite").exists()


def test_a_batch_that_copies_has_to_read_the_table(make_app: MakeApp) -> None:
    code = "with op.batch_alter_table('a') as batch:\n    batch.alter_column('b', nullable=True)"

    assert written(make_app, code, "sqlite://").unrendered == Unrendered(
        FIRST,
        "a batch copies the table, and reads first how it is made, as its `copy_from` would tell",
    )


def test_a_batch_that_is_told_how_the_table_is_made_is_written(make_app: MakeApp) -> None:
    code = """
        made = sa.Table("a", sa.MetaData(), sa.Column("b", sa.Integer))
        with op.batch_alter_table("a", copy_from=made) as batch:
            batch.alter_column("b", nullable=False)
        """
    made = written(make_app, code, "sqlite://")

    assert (made.statements[-1].sql, made.unrendered) == (
        "ALTER TABLE _alembic_tmp_a RENAME TO a",
        None,
    )


def test_the_options_of_another_env_py_count(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, [Revision("aaa111", upgrade="op.execute('SELECT 1')")])
    env = foreign_env("transactional_ddl=True")
    arguments = env.replace("context.run_migrations()", "context.run_migrations(name='shop')")
    (app.parent / "migrations" / "env.py").write_text(arguments)
    path = app.parent / "migrations" / "versions" / "aaa111_.py"
    path.write_text(path.read_text().replace("upgrade():", "upgrade(name):\n    op.execute(name)"))

    (made,) = plan(run_context(app)).revisions

    assert made.is_transactional
    assert [each.sql for each in made.statements] == ["shop", "SELECT 1"]
    assert not tables(sqlite_url)

"""The version table's row, which one statement for all revisions moves on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, Update, event
from support.command import invoke
from support.database import heads, rows
from support.history import MakeApp, Revision
from support.processes import write_env

MOVE = "UPDATE {} SET version_num='{}' WHERE {}.version_num = '{}'"
UPDATES = """\
t = sa.table("t", sa.column("version_num"))
op.execute("CREATE TABLE t (version_num varchar(32))")
op.execute(t.insert().values(version_num="old"))
op.execute(t.update().values(version_num=sa.literal_column("'new'")))
"""
LINE = [Revision("r0"), *(Revision(f"r{n}", f"r{n - 1}") for n in range(1, 6))]


@contextmanager
def updates() -> Iterator[list[tuple[str, Any]]]:
    """Collect each UPDATE as it is sent, and the expression that it was compiled from."""
    found: list[tuple[str, Any]] = []

    def sent(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, *_: Any
    ) -> None:
        if isinstance(context.compiled and context.compiled.statement, Update):
            assert not parameters
            found.append((statement, context.compiled.statement))

    event.listen(Engine, "before_cursor_execute", sent)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", sent)


@pytest.mark.parametrize(
    ("settings", "table"),
    [({}, "alembic_version"), ({"alembic.version_table": "Steps"}, '"Steps"')],
)
def test_it_runs_alembics_sql_and_is_compiled_once(
    make_app: MakeApp, database_url: str, settings: dict[str, str], table: str
) -> None:
    ini = make_app(database_url, LINE, settings)
    with updates() as found:
        assert invoke(ini, "upgrade").returncode == 0
    assert [sql for sql, _ in found] == [
        MOVE.format(table, f"r{n + 1}", table, f"r{n}") for n in range(5)
    ]
    assert len({id(compiled) for _, compiled in found}) == 1
    with updates() as found:
        assert invoke(ini, "downgrade", "r3").returncode == 0
    assert [sql for sql, _ in found] == [
        MOVE.format(table, f"r{n}", table, f"r{n + 1}") for n in (4, 3)
    ]


def test_what_a_revision_itself_updates_is_left_alone(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(
        database_url, [LINE[0], Revision("r1", "r0", upgrade=UPDATES), Revision("r2", "r1")]
    )
    assert invoke(ini, "upgrade").returncode == 0
    assert rows(database_url, "SELECT version_num FROM t") == [("new",)]
    assert heads(database_url) == {"r2"}


def test_what_a_callback_updates_is_left_alone(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(database_url, [LINE[0], Revision("r1", "r0", upgrade=UPDATES), *LINE[2:]])
    write_env(
        ini,
        "import sqlalchemy as sa\n"
        "from myapp.migrator.environment import run_migrations\n"
        "t = sa.Table('t', sa.MetaData(), sa.Column('version_num', sa.String(32)))\n"
        "def callback(ctx, step, heads, run_args):\n"
        "    if step.up_revision_id in ('r1', 'r5'):\n"
        "        ctx.connection.execute(t.update().values(version_num=step.up_revision_id))\n"
        "run_migrations(on_version_apply=callback)\n",
    )
    assert invoke(ini, "upgrade").returncode == 0
    assert rows(database_url, "SELECT version_num FROM t") == [("r5",)]
    assert heads(database_url) == {"r5"}


def test_a_row_that_has_gone_meanwhile_is_missed(make_app: MakeApp, database_url: str) -> None:
    gone = Revision("r1", "r0", upgrade="op.execute('DELETE FROM alembic_version')")
    result = invoke(make_app(database_url, [LINE[0], gone]), "upgrade")
    assert result.returncode == 1
    assert "has not kept what was written to it" in " ".join(result.stderr.split())
    assert heads(database_url) == {"r0"}

"""What a revision calls to build an index without keeping the application from writing."""

import threading
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import inspect
from support.command import invoke, run
from support.database import change, connection_to, feed, heads, rows
from support.history import MakeApp, Revision, create_table
from support.invalid_indexes import leave_invalid, two_alike
from support.processes import until
from support.sessions import session

FIRST = Revision("aaa111", **create_table("t"))
CREATE = "create_index_concurrently('ix', 'a', ['x'], unique=True)"
VALID = (
    "SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON indexrelid ="
    " c.oid WHERE relname ~* '^i'"
)
BUILT = "CREATE UNIQUE INDEX ix ON public.a USING btree (x)"


def indexing(
    upgrade: str = CREATE, downgrade: str = "drop_index_concurrently('ix', 'a')"
) -> Revision:
    """Return a revision that makes an index."""
    imports = "from myapp.migrator.indexes import"
    return Revision(
        "bbb222",
        "aaa111",
        "index it",
        upgrade=f"{imports} create_index_concurrently\n{upgrade}",
        downgrade=f"{imports} drop_index_concurrently\n{downgrade}",
    )


def app_with_table(make_app: MakeApp, url: str, revision: Revision) -> Path:
    ini = make_app(url, [FIRST, revision])
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    change(url, "CREATE TABLE a (x int, y int)")
    return ini


def indexes_of(url: str) -> list[tuple[object, bool]]:
    with connection_to(url) as connection:
        found = inspect(connection).get_indexes("a")
    return [(each["column_names"], bool(each["unique"])) for each in found]


def test_it_is_built_and_dropped_on_every_database(make_app: MakeApp, database_url: str) -> None:
    ini = app_with_table(make_app, database_url, indexing())
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert indexes_of(database_url) == [(["x"], True)]
    assert invoke(ini, "downgrade", "-1").returncode == 0
    assert indexes_of(database_url) == []
    assert invoke(ini, "upgrade").returncode == 0


def test_what_a_failed_try_has_left_is_dropped_by_the_next_one(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [FIRST, indexing()])
    two_alike(postgresql_url, "a")
    assert invoke(ini, "upgrade").returncode == 9
    assert rows(postgresql_url, VALID) == [(False, BUILT)]
    change(postgresql_url, "DELETE FROM a")
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, VALID) == [(True, BUILT)]
    assert "still" not in result.stderr


def test_the_application_may_write_while_it_is_built_and_an_old_one_dropped(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """CONCURRENTLY is what lets it, of both statements."""
    two_alike(postgresql_url, "a")
    leave_invalid(postgresql_url, "ix", "a")
    change(postgresql_url, "DELETE FROM a")
    result = invoke(make_app(postgresql_url, [FIRST, indexing()]), "upgrade", "--verbose")
    assert result.returncode == 0, result.stderr
    drop, create = [line for line in result.stderr.splitlines() if " INDEX CONC" in line][1:]
    assert drop.endswith("DROP INDEX CONCURRENTLY ix;")
    assert create.endswith("CREATE UNIQUE INDEX CONCURRENTLY ix ON a (x)")


def test_a_valid_one_that_is_alike_is_kept(make_app: MakeApp, postgresql_url: str) -> None:
    upgrade = """\
create_index_concurrently('ix', 'a', ['x', 'Y'], postgresql_include=['z'],
                          postgresql_where=sa.text('x > 1'), postgresql_using='btree')
create_index_concurrently('ix2', 'a', [sa.text('lower(z)')])
"""
    ini = make_app(postgresql_url, [FIRST, indexing(upgrade)])
    change(postgresql_url, 'CREATE TABLE a (x int, "Y" int, z text)')
    assert invoke(ini, "upgrade").returncode == 0
    before = rows(postgresql_url, f"{VALID} ORDER BY 1, 2")
    assert invoke(ini, "stamp", "aaa111").returncode == 0
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, f"{VALID} ORDER BY 1, 2") == before


@pytest.mark.parametrize(
    "standing",
    [
        "CREATE INDEX ix ON a (x)",
        "CREATE UNIQUE INDEX ix ON a (y)",
        "CREATE UNIQUE INDEX ix ON a (x, y)",
        "CREATE UNIQUE INDEX ix ON a (x) INCLUDE (y)",
        "CREATE UNIQUE INDEX ix ON a (x) WHERE x > 1",
        "CREATE UNIQUE INDEX ix ON t (id)",
    ],
)
def test_another_index_of_that_name_is_not_taken_for_it(
    make_app: MakeApp, postgresql_url: str, standing: str
) -> None:
    ini = app_with_table(make_app, postgresql_url, indexing())
    change(postgresql_url, standing)
    ((definition,),) = rows(postgresql_url, "SELECT pg_get_indexdef('ix'::regclass)")
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert result.stderr == (
        "Error: Revision bbb222 (index it) failed and was rolled back: index ix is there already,"
        f" and is another one: {definition}.\n"
        "       The database stands at aaa111 (a change).\n"
        "Hint:  drop that one first, or give the new one another name; then run the command"
        " again.\n"
    )


def test_names_are_quoted_and_a_schema_is_honoured(make_app: MakeApp, postgresql_url: str) -> None:
    upgrade = "create_index_concurrently('I \"x:', 'T t', ['x'], schema='S s', unique=True)"
    downgrade = "drop_index_concurrently('I \"x:', 'T t', schema='S s')"
    ini = make_app(postgresql_url, [FIRST, indexing(upgrade, downgrade)])
    change(postgresql_url, 'CREATE SCHEMA "S s"')
    two_alike(postgresql_url, '"S s"."T t"')
    leave_invalid(postgresql_url, '"I ""x:"', '"S s"."T t"')
    change(postgresql_url, 'DELETE FROM "S s"."T t"')
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, VALID)[0][0] is True
    assert invoke(ini, "downgrade", "-1").returncode == 0


def test_one_that_another_session_builds_is_left_to_it(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = app_with_table(make_app, postgresql_url, indexing())
    with (
        session(postgresql_url, "INSERT INTO a VALUES (1)") as writer,
        closing(psycopg2.connect(postgresql_url)) as other,
    ):
        other.autocommit = True
        build = BUILT.replace("INDEX", "INDEX CONCURRENTLY")
        thread = threading.Thread(target=other.cursor().execute, args=(build,))
        thread.start()
        until(lambda: (False, BUILT) in rows(postgresql_url, VALID))
        result = invoke(ini, "upgrade")
        writer.commit()
        thread.join()
    assert result.returncode == 1
    assert "index ix of table a is being built or dropped by another session." in result.stderr
    assert invoke(ini, "upgrade").returncode == 0


def test_the_sql_alone_drops_what_is_invalid_and_can_be_run_again(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [FIRST, indexing()])
    two_alike(postgresql_url, "a")
    script = run(ini, "upgrade", "--sql").stdout
    with pytest.raises(RuntimeError, match="could not create unique index"):
        feed(postgresql_url, script)
    assert rows(postgresql_url, VALID) == [(False, BUILT)]
    change(postgresql_url, "DELETE FROM a")
    feed(postgresql_url, run(ini, "upgrade", "--sql", "aaa111:bbb222").stdout)
    assert rows(postgresql_url, VALID) == [(True, BUILT)]
    assert heads(postgresql_url) == {"bbb222"}
    feed(postgresql_url, run(ini, "downgrade", "--sql", "bbb222:aaa111").stdout)
    assert (True, BUILT) not in rows(postgresql_url, VALID)


def test_it_runs_under_alembic_alone(make_app: MakeApp, postgresql_url: str) -> None:
    from alembic import command

    from myapp.migrator.config import alembic_config

    ini = make_app(postgresql_url, [FIRST, indexing()])
    two_alike(postgresql_url, "a")
    leave_invalid(postgresql_url, "ix", "a")
    change(postgresql_url, "DELETE FROM a")
    command.upgrade(alembic_config(ini), "head")
    assert rows(postgresql_url, VALID) == [(True, BUILT)]


def test_an_index_may_have_a_percent_sign_in_its_name(
    make_app: MakeApp, postgresql_url: str
) -> None:
    revision = indexing("create_index_concurrently('ix%s', 'a', ['x'])")
    assert invoke(app_with_table(make_app, postgresql_url, revision), "upgrade").returncode == 0
    assert indexes_of(postgresql_url) == [(["x"], False)]

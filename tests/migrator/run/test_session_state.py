"""What one revision SETs is not there for the next one: one run does what two runs do."""

from urllib.parse import urlsplit

import pytest
from support import postgresql
from support.command import invoke
from support.database import change, heads, rows
from support.history import MakeApp, Revision, foreign_env
from support.pgbouncer import PROGRAM, pooled
from support.processes import Start
from support.sessions import session

PREAMBLE = """\
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE TABLE public.orders (id integer);
"""
RAW = "op.get_bind().connection.cursor().execute({!r})"
SQL = "op.execute({!r})"
TIMES = {"migrate.lock_timeout": "7", "migrate.statement_timeout": "70"}


def seen(*names: str) -> str:
    """Return a revision's body that keeps settings in a table, wherever the path leads."""
    listed = ", ".join(f"current_setting('{name}') AS {name}" for name in names)
    return f"op.execute({f'CREATE TABLE public.seen AS SELECT {listed}'!r})"


@pytest.mark.parametrize(
    "first",
    [
        SQL.format(PREAMBLE),
        RAW.format(PREAMBLE),
        SQL.format("SET search_path TO app, public"),
        SQL.format("SET LOCAL search_path TO app"),
        SQL.format("CREATE TABLE app.alembic_version (version_num text); SET search_path TO app"),
        SQL.format("SET ROLE reader"),
        SQL.format("SET SESSION AUTHORIZATION reader"),
        SQL.format("SET session_replication_role = replica"),
        SQL.format("SET session_replication_role = replica; SET ROLE reader"),
        SQL.format("SET default_transaction_read_only = on"),
        SQL.format("SET lock_timeout = 0; SET statement_timeout = '1h'"),
        SQL.format("RESET lock_timeout"),
        SQL.format("RESET ALL"),
        SQL.format("SET work_mem = '1MB'; SET TimeZone = 'Asia/Tokyo'"),
        SQL.format("SET standard_conforming_strings = off; SET DateStyle = 'German'"),
        SQL.format("DO $$ BEGIN SET work_mem = '1MB'; END $$"),
        SQL.format("SELECT set_config('search_path', 'app', false)"),
        SQL.format("SELECT hidden()"),
        RAW.format("SET ROLE reader; COMMIT"),
        "with op.get_context().autocommit_block(): op.execute('SET search_path TO app')",
        "with op.get_context().autocommit_block(): op.execute('DISCARD ALL')",
    ],
)
def test_a_revision_begins_as_if_it_were_the_first_of_a_run(
    first: str, make_app: MakeApp, postgresql_url: str
) -> None:
    kept = (
        *("search_path", "role", "session_authorization", "session_replication_role"),
        *("default_transaction_read_only", "lock_timeout", "statement_timeout", "work_mem"),
        *("standard_conforming_strings", "datestyle", "timezone", "row_security"),
        *("check_function_bodies", "application_name", "idle_in_transaction_session_timeout"),
    )
    role = f"reader_{urlsplit(postgresql_url).path[1:]}"
    change(
        postgresql_url,
        f"CREATE ROLE {role}",
        "CREATE SCHEMA app",
        "CREATE FUNCTION hidden() RETURNS void LANGUAGE sql"
        " AS 'SELECT set_config(''search_path'', ''app'', false)'",
    )
    try:
        line = [
            Revision("aaa111", upgrade=first.replace("reader", role)),
            Revision("bbb222", "aaa111", upgrade=seen(*kept)),
        ]
        ini = make_app(postgresql_url, line, TIMES)
        together = invoke(ini, "upgrade")
        assert together.returncode == 0, together.stderr
        one_run = rows(postgresql_url, "SELECT * FROM public.seen")
        assert heads(postgresql_url) == {"bbb222"}
        change(
            postgresql_url,
            "DROP TABLE IF EXISTS public.seen, public.orders, app.alembic_version",
            "DROP TABLE public.alembic_version",
        )
        assert invoke(ini, "upgrade", "aaa111").returncode == 0
        assert invoke(ini, "upgrade").returncode == 0
        assert rows(postgresql_url, "SELECT * FROM public.seen") == one_run
    finally:
        postgresql.execute(postgresql_url, f"DROP ROLE {role}")


def test_what_env_py_has_set_is_what_is_brought_back(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE SCHEMA tenant", "CREATE SCHEMA other")
    before = (
        "connection.exec_driver_sql(\"SET search_path TO tenant; SET work_mem = '3MB'\");"
        " connection.exec_driver_sql(\"SELECT set_config('app.tenant', '42', false)\");"
        " connection.exec_driver_sql('SET ROLE pg_monitor; RESET ROLE; SET ROLE deploy');"
        " connection.commit()"
    )
    kept = (
        "op.execute(\"CREATE TABLE public.seen AS SELECT current_setting('search_path') AS path,"
        " current_setting('work_mem') AS mem, current_setting('role') AS role,"
        " current_setting('app.tenant') AS tenant\")"
    )
    line = [
        Revision("aaa111", upgrade="op.execute('SET search_path TO other; SET work_mem = 64')"),
        Revision("bbb222", "aaa111", upgrade="op.execute('SET ROLE pg_monitor')"),
        Revision("ccc333", "bbb222", upgrade="op.execute('CREATE TABLE t (x int)')"),
        Revision("ddd444", "ccc333", upgrade=kept),
    ]
    ini = make_app(postgresql_url, line)
    (ini.parent / "migrations" / "env.py").write_text(foreign_env(before=before))
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT * FROM public.seen") == [("tenant", "3MB", "deploy", "42")]
    assert rows(postgresql_url, "SELECT * FROM tenant.t") == []
    assert heads(postgresql_url, "tenant.alembic_version") == {"ddd444"}


def test_each_tenant_of_an_env_py_begins_with_the_path_that_it_sets(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    ini = make_app(
        postgresql_url,
        [
            Revision("aaa111", upgrade="op.execute('SET search_path TO public')"),
            Revision("bbb222", "aaa111", upgrade="op.execute('CREATE TABLE t (x int)')"),
        ],
    )
    (ini.parent / "migrations" / "env.py").write_text(
        """\
from alembic import context
from sqlalchemy import create_engine

url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
with engine.connect() as connection:
    for tenant in ("one", "two"):
        connection.exec_driver_sql(f"SET search_path TO {tenant}")
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
"""
    )
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    for tenant in ("one", "two"):
        assert heads(postgresql_url, f"{tenant}.alembic_version") == {"bbb222"}
        assert rows(postgresql_url, f"SELECT * FROM {tenant}.t") == []


def test_a_revision_may_still_choose_its_isolation_level(
    make_app: MakeApp, postgresql_url: str
) -> None:
    level = "op.execute('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE')"
    line = [
        Revision("aaa111"),
        Revision("bbb222", "aaa111", upgrade=f"{level}\n{seen('transaction_isolation')}"),
    ]
    result = invoke(make_app(postgresql_url, line), "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT * FROM seen") == [("serializable",)]


def test_a_revision_that_swallows_an_error_is_told_what_postgresql_says(
    make_app: MakeApp, postgresql_url: str
) -> None:
    swallows = """\
    try:
        op.execute('SELECT 1/0')
    except Exception:
        pass
    """
    result = invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=swallows)]), "upgrade")
    assert result.returncode == 1
    assert "current transaction is aborted" in result.stderr
    assert "set_config" not in result.stderr


def test_the_next_try_begins_as_the_first_one_did(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    change(postgresql_url, "CREATE SCHEMA app", "CREATE TABLE a (x int)")
    upgrade = """\
    path = op.get_bind().exec_driver_sql('SHOW search_path').scalar()
    with op.get_context().autocommit_block():
        op.execute('SET search_path TO app, public')
    op.execute('ALTER TABLE a ADD COLUMN y int')
    assert path == '"$user", public', path
    """
    settings = {"migrate.lock_timeout": "0.1", "migrate.retries": "50"}
    line = [Revision("aaa111"), Revision("bbb222", "aaa111", upgrade=upgrade)]
    ini = make_app(postgresql_url, line, settings)
    invoke(ini, "upgrade", "aaa111")
    with session(postgresql_url, "SELECT * FROM a"):
        running = start(ini, "upgrade")
        running.until_told("try 2 of 51")
    result = running.finish()
    assert result.returncode == 0, result.stderr


def test_the_limits_of_a_role_end_no_run(make_app: MakeApp, postgresql_url: str) -> None:
    names = (
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "transaction_timeout",
        "statement_timeout",
        "lock_timeout",
    )
    (there,) = zip(
        *rows(postgresql_url, f"SELECT name FROM pg_settings WHERE name IN {names}"), strict=True
    )
    database = urlsplit(postgresql_url).path[1:]
    for name in there:
        change(postgresql_url, f"ALTER DATABASE {database} SET {name} = '400ms'")
    slow = "import time; time.sleep(0.6)\nop.execute('SELECT pg_sleep(0.6)')\ntime.sleep(0.6)"
    line = [Revision("aaa111", upgrade=slow), Revision("bbb222", "aaa111", upgrade=seen(*there))]
    result = invoke(make_app(postgresql_url, line, {"migrate.lock_timeout": "7"}), "upgrade")
    assert result.returncode == 0, result.stderr
    expected = {name: "7s" if name == "lock_timeout" else "0" for name in there}
    found = rows(postgresql_url, f"SELECT {', '.join(there)} FROM seen")
    assert dict(zip(there, found[0], strict=True)) == expected


@pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer here")
def test_through_a_pooler_nothing_is_left_to_the_next_revision_nor_to_other_clients(
    make_app: MakeApp, postgresql_url: str
) -> None:
    kept = ("search_path", "lock_timeout", "work_mem")
    change(postgresql_url, "CREATE SCHEMA app")
    line = [
        Revision("aaa111", upgrade=SQL.format(PREAMBLE + "SET work_mem = '1MB'")),
        Revision("bbb222", "aaa111", upgrade=seen(*kept)),
    ]
    with pooled(postgresql_url, "transaction") as url:
        before = [rows(url, f"SHOW {name}") for name in kept]
        settings = {"migrate.lock_url": postgresql_url, **TIMES}
        result = invoke(make_app(url, line, settings), "upgrade")
        assert result.returncode == 0, result.stderr
        assert [rows(url, f"SHOW {name}") for name in kept] == before
    assert rows(postgresql_url, "SELECT * FROM seen") == [('"$user", public', "7s", "4MB")]

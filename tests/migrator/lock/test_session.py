"""A lock on the migration's own session, for a server that has one connection to give."""

import json
import time
from collections.abc import Iterator

import pytest
from support import postgresql
from support.command import invoke
from support.database import change, heads, rows, tables
from support.history import MakeApp, Revision, create_table, foreign_env
from support.pgbouncer import PROGRAM, pooled
from support.processes import Start, write_env
from support.sessions import AT_GATE, gate, lock_backends, plain_user, session, until_at_gate

SESSION = {"migrate.lock": "session"}
LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
]
GATED = [Revision("aaa111", upgrade=AT_GATE)]
PATIENT = {"migrate.lock_timeout": "0"}
HELD = """\
op.execute(
    "CREATE TABLE held AS SELECT count(*) FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND mode = 'ExclusiveLock'"
)
"""
UNIQUE = """\
op.execute("CREATE TABLE twice AS SELECT 1 AS id FROM generate_series(1, 2)")
with op.get_context().autocommit_block():
    op.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_twice ON twice (id)")
"""
KEPT = f"import support\n{foreign_env()}\nsupport.kept = engine\n"
#: An env.py that leaves its connection open.
KEEPING = """\
import support
from alembic import context
from sqlalchemy import create_engine

url = context.config.get_main_option("sqlalchemy.url")
support.kept = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
connection = support.connection = support.kept.connect()
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
connection.close()
"""


@pytest.fixture
def url_of_one(postgresql_server: str, postgresql_url: str) -> Iterator[str]:
    """Yield a URL of a role that may have one connection."""
    with plain_user(postgresql_server, postgresql_url) as url:
        role = url.removeprefix("postgresql://").partition(":")[0]
        postgresql.execute(postgresql_url, f"ALTER ROLE {role} CONNECTION LIMIT 1")
        yield url


@pytest.fixture
def clean() -> Iterator[None]:
    """Close what an `env.py` has kept."""
    yield
    import support

    if hasattr(support, "connection"):
        support.connection.close()
        del support.connection
    support.kept.dispose()
    del support.kept


@pytest.mark.parametrize("env", [None, foreign_env()], ids=["own", "foreign"])
def test_one_connection_is_enough_for_every_command(
    env: str | None, url_of_one: str, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(url_of_one, LINE, SESSION)
    if env:
        write_env(ini, env)
    commands = [["ensure-version"], ["upgrade"], ["downgrade", "-1"], ["stamp", "bbb222"]]
    for arguments in commands:
        result = invoke(ini, *arguments)
        assert result.returncode == 0, result.stderr
        assert "Warning" not in result.stderr
    assert heads(postgresql_url) == {"bbb222"}


def test_the_lock_is_on_the_migrations_own_session(make_app: MakeApp, postgresql_url: str) -> None:
    result = invoke(
        make_app(postgresql_url, [Revision("aaa111", upgrade=HELD)], SESSION), "upgrade"
    )
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT * FROM held") == [(1,)]


@pytest.mark.parametrize(
    ("first", "second"), [(SESSION, {}), ({}, SESSION), (SESSION, SESSION)], ids=str
)
def test_runs_of_both_kinds_keep_each_other_out(
    first: dict[str, str],
    second: dict[str, str],
    make_app: MakeApp,
    postgresql_url: str,
    start: Start,
) -> None:
    ini = make_app(postgresql_url, GATED, PATIENT | first)
    with gate(postgresql_url):
        holder = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        text = ini.read_text().replace("migrate.lock = session\n", "")
        ini.write_text(text + ("migrate.lock = session\n" if second else ""))
        result = invoke(ini, "upgrade", "--lock-wait", "0.3")
    assert result.returncode == 5, result.stderr
    assert "Error: Another run is migrating this database: pid " in result.stderr
    assert f":{holder.pid}), since " in result.stderr
    assert holder.finish().returncode == 0


def test_a_lock_that_a_revision_has_freed_is_taken_again(
    make_app: MakeApp, postgresql_url: str
) -> None:
    freed = "import time; op.execute('SELECT pg_advisory_unlock_all()'); time.sleep(1)"
    line = [Revision("aaa111", upgrade=freed), Revision("bbb222", "aaa111", upgrade=HELD)]
    result = invoke(make_app(postgresql_url, line, SESSION), "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT * FROM held") == [(1,)]


def test_a_run_that_has_slept_while_another_did_its_work_stops(
    make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    blocked = [LINE[0], Revision("bbb222", "aaa111", upgrade="op.execute('LOCK TABLE a')")]
    ini = make_app(postgresql_url, blocked, SESSION | {"migrate.lock_timeout": "0.5"})
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    with session(postgresql_url, "LOCK TABLE a"):
        running = start(ini, "upgrade")
        running.until_told("was rolled back because it could not get a lock in time")
        change(postgresql_url, "UPDATE alembic_version SET version_num = 'bbb222'")
        result = running.finish()
    assert result.returncode == 5, result.stderr
    assert result.stderr.splitlines()[-3:] == [
        "Error: Between two tries, when this run held no lock, another one has applied bbb222 (a"
        " change).",
        "       The database stands at bbb222 (a change).",
        "Hint:  run the command again.",
    ]


@pytest.mark.usefixtures("clean")
def test_nothing_is_left_behind_by_an_engine_that_an_env_py_keeps(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE, SESSION)
    write_env(ini, KEPT)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    assert lock_backends(postgresql_url) == []
    assert invoke(ini, "upgrade", "--lock-wait", "0").returncode == 0


def test_what_a_failed_revision_has_left_is_asked_when_the_only_connection_is_free_again(
    url_of_one: str, make_app: MakeApp
) -> None:
    ini = make_app(url_of_one, [Revision("aaa111", upgrade=UNIQUE)], SESSION)
    result = invoke(ini, "upgrade", "--json")
    assert result.returncode == 9, result.stderr
    assert json.loads(result.stdout)["error"]["invalid_indexes"] == ["ix_twice"]


@pytest.mark.usefixtures("clean")
def test_what_cannot_be_asked_is_told_as_unknown(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=UNIQUE)], SESSION)
    write_env(ini, KEEPING)
    result = invoke(ini, "upgrade", "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.returncode, error["invalid_indexes"]) == (9, None)
    assert "Whether it has left an invalid index isn't known" in error["message"]


def test_a_connection_for_the_lock_and_none_exclude_each_other(
    make_app: MakeApp, postgresql_url: str
) -> None:
    settings = SESSION | {"migrate.lock_url": postgresql_url}
    result = invoke(make_app(postgresql_url, LINE, settings), "upgrade")
    assert (result.returncode, result.stderr) == (
        2,
        "Error: `migrate.lock_url` gives the lock a connection of its own, and with"
        " `migrate.lock = session` it has none.\n"
        "Hint:  take one of the two out of the .ini file.\n",
    )
    assert tables(postgresql_url) == set()


@pytest.mark.skipif(not PROGRAM, reason="there is no pgbouncer")
def test_a_pool_of_one_is_enough(make_app: MakeApp, postgresql_url: str) -> None:
    with pooled(postgresql_url, "session", "default_pool_size = 1") as url:
        begin = time.monotonic()
        result = invoke(make_app(url, LINE, SESSION), "upgrade")
        assert time.monotonic() - begin < 10
    assert result.returncode == 0, result.stderr
    assert heads(postgresql_url) == {"bbb222"}


@pytest.mark.skipif(not PROGRAM, reason="there is no pgbouncer")
@pytest.mark.parametrize("setting", ["", "server_round_robin = 1", "default_pool_size = 2"])
def test_a_pooler_that_shares_sessions_is_refused(
    setting: str, make_app: MakeApp, postgresql_url: str
) -> None:
    with pooled(postgresql_url, "transaction", setting) as url:
        result = invoke(make_app(url, LINE, SESSION), "upgrade")
    assert result.returncode == 2, result.stderr
    assert "goes through a pooler in transaction mode" in result.stderr
    assert tables(postgresql_url) == set()

"""The lock stands where `env.py` goes, whatever way that is."""

from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from support import postgresql
from support.command import invoke
from support.database import rows, tables
from support.history import MakeApp, Revision
from support.processes import Start, write_env
from support.sessions import AT_GATE, gate, lock_backends, until_at_gate

#: Whether a lock is held in the database that the revision changes.
HELD = Revision(
    "aaa111",
    upgrade="""\
op.execute(
    "CREATE TABLE held AS SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    " AND mode = 'ExclusiveLock'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
""",
)
RUN = """
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
ASYNC_RUN = """
def run(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(main())
"""
#: How an `env.py` may make its engine. `PARTS` are libpq's parameters, and `URL` has no password.
ENGINES = {
    "do_connect gives the password": """\
engine = create_engine(URL)
@event.listens_for(engine, "do_connect")
def token(dialect, record, cargs, cparams):
    cparams["password"] = PARTS["password"]
""",
    "do_connect opens the connection": """\
engine = create_engine("postgresql+psycopg2://")
@event.listens_for(engine, "do_connect")
def connect(dialect, record, cargs, cparams):
    return psycopg2.connect(**PARTS)
""",
    "connect_args has it": """\
engine = create_engine(URL, connect_args={"password": PARTS["password"]})
""",
    "connect_args has all": "engine = create_engine('postgresql+psycopg2://', connect_args=PARTS)",
    "creator": """\
engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(**PARTS))
""",
    "PG* variables": """\
names = {"dbname": "PGDATABASE"}
os.environ.update({names.get(name, f"PG{name.upper()}"): value for name, value in PARTS.items()})
engine = create_engine("postgresql+psycopg2://")
""",
    "a pool of one": """\
engine = create_engine(
    "postgresql+psycopg2://", connect_args=PARTS, pool_size=1, max_overflow=0, pool_timeout=1
)
""",
    "an engine of the application's own, as attribute": """\
import support
if not hasattr(support, "kept"):
    support.kept = create_engine(
        "postgresql+psycopg2://", connect_args=PARTS, pool_size=1, max_overflow=0, pool_timeout=1
    )
engine = context.config.attributes["connection"] = support.kept
""",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what an `env.py` has kept or set."""
    import support

    for name in ("PGHOST", "PGUSER", "PGPASSWORD", "PGDATABASE"):
        monkeypatch.setenv(name, "nowhere")
        monkeypatch.delenv(name)
    yield
    if hasattr(support, "kept"):
        support.kept.dispose()
        del support.kept


def parts_of(url: str) -> dict[str, str]:
    """Return libpq's parameters."""
    split = urlsplit(url)
    return {
        "host": parse_qs(split.query)["host"][0],
        "dbname": split.path[1:],
        "user": str(split.username),
        "password": unquote(str(split.password)),
    }


def env_of(url: str, engine: str, run: str = RUN) -> str:
    """Return an `env.py` that opens the database at `url`."""
    parts = parts_of(url)
    bare = f"postgresql+psycopg2://{parts['user']}@/{parts['dbname']}?host={parts['host']}"
    return (
        "import asyncio, os, psycopg2\nfrom alembic import context\n"
        "from sqlalchemy import create_engine, event\n"
        f"PARTS = {parts!r}\nURL = {bare!r}\n{engine}\n{run}"
    )


def several(*urls: str) -> str:
    """Return the lines of an `env.py` that migrates these databases one after the other."""
    connect = "engine = create_engine('postgresql+psycopg2://', connect_args={parts!r})\n" + RUN
    return "".join(connect.format(parts=parts_of(url)) for url in urls)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
def test_the_lock_is_taken_through_the_engine_of_env_py(
    engine: str, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app("postgresql://nobody@/nowhere?host=/nowhere", [HELD])
    write_env(ini, env_of(postgresql_url, engine))
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT * FROM held") == [(1,)]
    assert lock_backends(postgresql_url) == []


def test_each_connection_gets_a_password_of_its_own(make_app: MakeApp, postgresql_url: str) -> None:
    env = """\
import support
support.given = getattr(support, "given", 0)
engine = create_engine(URL)
@event.listens_for(engine, "do_connect")
def token(dialect, record, cargs, cparams):
    assert "password" not in cparams
    support.given += 1
    cparams["password"] = PARTS["password"]
"""
    import support

    # With a long wait for locks, nobody asks soon who blocks, for which there is one more.
    patient = {"migrate.lock_timeout": "60"}
    ini = make_app("postgresql://nobody@/nowhere?host=/nowhere", [HELD], patient)
    write_env(ini, env_of(postgresql_url, env))
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    # To look, for the lock, for the look at a pooler, and to migrate.
    assert support.given == 4
    del support.given


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg_async"])
def test_an_asynchronous_engine_is_no_exception(
    driver: str, make_app: MakeApp, postgresql_url: str
) -> None:
    module = pytest.importorskip(driver.removesuffix("_async"))
    assert module
    host = parts_of(postgresql_url)["host"]
    key = "database" if driver == "asyncpg" else "dbname"
    engine = f"""\
from sqlalchemy.ext.asyncio import create_async_engine
PARTS[{key!r}] = PARTS.pop("dbname")
host = PARTS.pop("host")
engine = create_async_engine("postgresql+{driver}:///?host={host}", connect_args=PARTS)
"""
    ini = make_app("postgresql://nobody@/nowhere?host=/nowhere", [HELD])
    write_env(ini, env_of(postgresql_url, engine, ASYNC_RUN))
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT * FROM held") == [(1,)]


def test_each_database_of_env_py_is_locked_before_its_first_statement(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with postgresql.create_database(postgresql_server) as other_url:
        ini = make_app(postgresql_url, [HELD])
        write_env(ini, env_of(postgresql_url, several(postgresql_url, other_url), ""))
        result = invoke(ini, "upgrade")
        assert result.returncode == 0, result.stderr
        held = [rows(url, "SELECT * FROM held") for url in (postgresql_url, other_url)]
    assert held == [[(1,)], [(1,)]]


def test_a_run_in_the_second_database_of_env_py_keeps_another_out(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str, start: Start
) -> None:
    gated = Revision("aaa111", upgrade=AT_GATE)
    with postgresql.create_database(postgresql_server) as other_url, gate(other_url):
        engine = "engine = create_engine('postgresql+psycopg2://', connect_args=PARTS)"
        ini = make_app(postgresql_url, [gated])
        write_env(ini, env_of(other_url, engine))
        first = start(ini, "upgrade")
        until_at_gate(other_url)
        write_env(ini, env_of(postgresql_url, several(postgresql_url, other_url), ""))
        second = invoke(ini, "upgrade", "--lock-wait", "0.3")
        assert second.returncode == 5, second.stderr
        assert "Another run is migrating this database" in second.stderr
        assert first.is_running


@pytest.mark.parametrize("arguments", [["upgrade"], ["stamp", "aaa111"], ["ensure-version"]])
def test_an_env_py_that_goes_elsewhere_the_second_time_is_followed(
    arguments: list[str], make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with postgresql.create_database(postgresql_server) as other_url:
        env = f"""\
import support
support.passes = getattr(support, "passes", 0) + 1
parts = PARTS if support.passes == 1 else {parts_of(other_url)!r}
engine = create_engine("postgresql+psycopg2://", connect_args=parts)
"""
        ini = make_app(postgresql_url, [HELD])
        write_env(ini, env_of(postgresql_url, env, RUN.replace(", transaction_per", ")  #")))
        result = invoke(ini, *arguments)
        import support

        del support.passes
        assert result.returncode == 0, result.stderr
        if arguments == ["upgrade"]:
            assert rows(other_url, "SELECT * FROM held") == [(1,)]
        assert "alembic_version" in tables(other_url)
        assert tables(postgresql_url) == set()


def test_a_lock_that_cannot_be_in_the_database_of_the_migration_is_refused(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    """The connections of this engine lead to several databases."""
    with postgresql.create_database(postgresql_server) as other_url:
        env = f"""\
from myapp.migrator.base.our_own import is_our_own
def connect():
    return psycopg2.connect(**(PARTS if not is_our_own() else {parts_of(other_url)!r}))
engine = create_engine("postgresql+psycopg2://", creator=connect)
"""
        ini = make_app(postgresql_url, [HELD])
        write_env(ini, env_of(postgresql_url, env))
        result = invoke(ini, "upgrade", "--lock-wait", "0")
        assert (tables(postgresql_url), tables(other_url)) == (set(), set())
    assert (result.returncode, result.stderr) == (
        2,
        "Error: A second connection of env.py's engine led to another database than the first, so"
        " the lock would keep no one out.\n"
        "Hint:  let all connections of an engine lead to one server and database, or name it in"
        " `migrate.lock_url`.\n",
    )


def test_sqlites_lock_is_on_the_file_that_env_py_opens(make_app: MakeApp, sqlite_url: str) -> None:
    there = "import os; op.execute(f\"CREATE TABLE held AS SELECT '{os.path.exists(PATH)}' AS it\")"
    path = sqlite_url.removeprefix("sqlite:///").replace("test.sqlite", "other.sqlite")
    revision = Revision("aaa111", upgrade=f"PATH = {path + '.migrate-lock'!r}\n{there}")
    ini = make_app(sqlite_url, [revision])
    write_env(
        ini,
        "import sqlite3\nfrom alembic import context\nfrom sqlalchemy import create_engine\n"
        f"engine = create_engine('sqlite://', creator=lambda: sqlite3.connect({path!r}))\n{RUN}",
    )
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert rows(f"sqlite:///{path}", "SELECT * FROM held") == [("True",)]

"""Behind PgBouncer, where a session lock may mean nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support import postgresql
from support.command import invoke
from support.database import rows, tables
from support.history import MakeApp, Revision, create_table
from support.pgbouncer import PROGRAM, pooled
from support.processes import Start
from support.sessions import AT_GATE, gate, is_running, lock_backends, terminate, until_at_gate

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="there is no pgbouncer here: apt-get install pgbouncer"
)
LINE = [
    Revision("aaa111", **create_table("a")),
    Revision(
        "bbb222",
        "aaa111",
        upgrade="""\
        with op.get_context().autocommit_block():
            op.execute('CREATE INDEX CONCURRENTLY ix_a ON a (id)')
        """,
        downgrade="op.drop_index('ix_a', 'a')",
    ),
]
REFUSED = (
    "Error: `{}` goes through a pooler in transaction mode, such as PgBouncer's, where a lock can't"
    " be held: two runs at once would not see each other.\n"
    "Hint:  set `migrate.lock_url` to a direct connection to the same database.\n"
)


@pytest.fixture(params=["", "server_round_robin = 1", "default_pool_size = 2"])
def pooled_url(request: pytest.FixtureRequest, postgresql_url: str) -> Iterator[str]:
    with pooled(postgresql_url, "transaction", request.param) as url:
        yield url


@pytest.fixture
def transaction_url(postgresql_url: str) -> Iterator[str]:
    with pooled(postgresql_url, "transaction") as url:
        yield url


def use_several_servers(url: str) -> None:
    """Let the pooler open several server connections, as an application's requests do."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: postgresql.execute(url, "SELECT pg_sleep(0.2)"), range(4)))


@pytest.mark.parametrize("is_busy", [False, True], ids=["fresh", "in use"])
def test_a_pooler_in_transaction_mode_is_refused_before_anything_is_changed(
    pooled_url: str, is_busy: bool, make_app: MakeApp, postgresql_url: str
) -> None:
    if is_busy:
        use_several_servers(pooled_url)
    result = invoke(make_app(pooled_url, LINE), "upgrade")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == REFUSED.format("sqlalchemy.url")
    assert tables(postgresql_url) == set()


@pytest.mark.parametrize("arguments", [["stamp", "bbb222"], ["ensure-version"]], ids=str)
def test_so_is_it_for_commands_that_write_the_version_table(
    arguments: list[str], transaction_url: str, make_app: MakeApp, postgresql_url: str
) -> None:
    result = invoke(make_app(transaction_url, LINE), *arguments)
    assert (result.returncode, result.stderr) == (2, REFUSED.format("sqlalchemy.url"))
    assert tables(postgresql_url) == set()


def test_a_pooler_in_transaction_mode_does_for_reading(
    transaction_url: str, make_app: MakeApp
) -> None:
    result = invoke(make_app(transaction_url, LINE), "current")
    assert (result.returncode, result.stdout) == (0, "base (no revision)\n")


def test_with_a_direct_lock_url_migrations_run_through_the_pooler(
    transaction_url: str, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(transaction_url, LINE, {"migrate.lock_url": postgresql_url})
    up, down = invoke(ini, "upgrade"), invoke(ini, "downgrade", "aaa111")
    assert (up.returncode, down.returncode) == (0, 0), up.stderr + down.stderr
    assert tables(postgresql_url) == {"a", "alembic_version"}


def test_through_the_pooler_the_timeouts_hold_in_the_transaction_and_are_not_left_to_others(
    transaction_url: str, make_app: MakeApp, postgresql_url: str
) -> None:
    kept = "op.execute(\"CREATE TABLE kept AS SELECT current_setting('lock_timeout') AS value\")"
    settings = {"migrate.lock_url": postgresql_url, "migrate.lock_timeout": "3"}
    result = invoke(
        make_app(transaction_url, [Revision("aaa111", upgrade=kept)], settings), "upgrade"
    )
    assert result.returncode == 0, result.stderr
    assert rows(postgresql_url, "SELECT value FROM kept") == [("3s",)]
    assert rows(transaction_url, "SHOW lock_timeout") == [("0",)]


def test_through_the_pooler_too_no_run_starts_while_a_transaction_of_another_is_open(
    transaction_url: str, make_app: MakeApp, postgresql_url: str, start: Start
) -> None:
    settings = {"migrate.lock_url": postgresql_url, "migrate.lock_timeout": "0"}
    ini = make_app(transaction_url, [Revision("aaa111", upgrade=AT_GATE)], settings)
    with gate(postgresql_url):
        holder = start(ini, "upgrade")
        until_at_gate(postgresql_url)
        terminate(postgresql_url, *lock_backends(postgresql_url))
        result = start(ini, "upgrade", "--lock-wait", "0.3").finish(20)
        assert is_running(postgresql_url, "%pg_advisory_xact_lock(4242)%")
    assert result.returncode == 5, result.stderr
    assert holder.finish().returncode == 0


def test_a_lock_url_through_the_pooler_is_refused(
    transaction_url: str, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(transaction_url, LINE, {"migrate.lock_url": transaction_url})
    result = invoke(ini, "upgrade")
    assert (result.returncode, result.stderr) == (2, REFUSED.format("migrate.lock_url"))
    assert tables(postgresql_url) == set()


def test_a_pooler_in_session_mode_needs_nothing(make_app: MakeApp, postgresql_url: str) -> None:
    with pooled(postgresql_url, "session") as url:
        result = invoke(make_app(url, LINE), "upgrade")
    assert result.returncode == 0, result.stderr
    assert tables(postgresql_url) == {"a", "alembic_version"}


@pytest.fixture
def other_url(postgresql_server: str) -> Iterator[str]:
    with postgresql.create_database(postgresql_server) as url:
        yield url


def wrong_lock_urls(postgresql_url: str, other_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "another database": other_url,
        "SQLite": f"sqlite:///{tmp_path / 'lock.sqlite'}",
        "no URL": "postgresql//nowhere",
    }


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (
            "another database",
            "Error: `migrate.lock_url` leads to another database than `sqlalchemy.url`, so its lock"
            " would keep no one out.\n"
            "Hint:  let both name the same server and database.\n",
        ),
        (
            "SQLite",
            "Error: `migrate.lock_url` is not a PostgreSQL URL, but `sqlalchemy.url` is.\n"
            "Hint:  let both name the same server and database.\n",
        ),
        ("no URL", "Error: `migrate.lock_url` is not a database URL.\n"),
    ],
)
def test_a_wrong_lock_url_is_refused_before_anything_is_changed(
    which: str,
    message: str,
    make_app: MakeApp,
    postgresql_url: str,
    other_url: str,
    tmp_path: Path,
) -> None:
    lock_url = wrong_lock_urls(postgresql_url, other_url, tmp_path)[which]
    result = invoke(make_app(postgresql_url, LINE, {"migrate.lock_url": lock_url}), "upgrade")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(message)
    assert urlsplit(other_url).path not in result.stderr
    assert (tables(postgresql_url), tables(other_url)) == (set(), set())
    assert not (tmp_path / "lock.sqlite").exists()


def test_a_lock_url_on_another_server_is_refused(make_app: MakeApp, postgresql_url: str) -> None:
    with postgresql.start_server() as admin_url:
        name = urlsplit(postgresql_url).path.strip("/")
        postgresql.execute(admin_url, f"CREATE DATABASE {name}")
        lock_url = urlsplit(admin_url)._replace(path=f"/{name}").geturl()
        result = invoke(make_app(postgresql_url, LINE, {"migrate.lock_url": lock_url}), "upgrade")
    assert result.returncode == 2, result.stderr
    assert "leads to another database" in result.stderr
    assert tables(postgresql_url) == set()


def test_a_lock_url_that_leads_nowhere_is_told_by_its_name(
    make_app: MakeApp, postgresql_url: str
) -> None:
    lock_url = "postgresql://deploy:s3cret-9@/nowhere?host=/nowhere"
    result = invoke(make_app(postgresql_url, LINE, {"migrate.lock_url": lock_url}), "upgrade")
    assert result.returncode == 6
    assert "`migrate.lock_url`" in result.stderr
    assert "s3cret-9" not in result.stderr
    assert tables(postgresql_url) == set()


def test_a_lock_url_beside_an_sqlite_database_is_refused(
    make_app: MakeApp, sqlite_url: str, postgresql_url: str, tmp_path: Path
) -> None:
    result = invoke(make_app(sqlite_url, LINE, {"migrate.lock_url": postgresql_url}), "upgrade")
    assert (result.returncode, result.stderr) == (
        2,
        "Error: `migrate.lock_url` is for PostgreSQL, and the database is one of sqlite.\n"
        "Hint:  take `migrate.lock_url` out of the .ini file.\n",
    )
    assert not (tmp_path / "test.sqlite").exists()

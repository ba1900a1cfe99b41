"""A proxy between a run and its server, which cuts connections on which nothing passes."""

import json

import pytest
from support.command import invoke
from support.database import heads, tables
from support.history import MakeApp, Revision, create_table
from support.proxy import proxied

#: A statement now and then: the migration's own connection is not idle.
BUSY = """\
import time
end = time.monotonic() + 2.5
while time.monotonic() < end:
    op.execute("SELECT 1")
    time.sleep(0.1)
"""
LINE = [
    Revision("aaa111", upgrade=f"op.execute('CREATE TABLE a (id int)')\n{BUSY}"),
    Revision("bbb222", "aaa111", **create_table("b")),
]
TWICE = Revision(
    "aaa111", upgrade="op.execute('CREATE TABLE a AS SELECT 1 AS id FROM generate_series(1, 2)')"
)
UNIQUE = f"""\
{BUSY}
with op.get_context().autocommit_block():
    op.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_a ON a (id)")
"""


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give no sign of life on the lock's connection."""
    monkeypatch.setattr("myapp.migrator.lock.held_lock._SIGN_OF_LIFE", 60.0)


def test_the_locks_connection_is_not_idle_for_longer_than_its_interval(
    make_app: MakeApp, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("myapp.migrator.lock.held_lock._SIGN_OF_LIFE", 0.2)
    with proxied(postgresql_url, idle=1.5) as proxy:
        result = invoke(make_app(proxy.url, LINE), "upgrade", "aaa111")
        assert proxy.cut == 0
    assert result.returncode == 0, result.stderr


@pytest.mark.usefixtures("silent")
def test_a_lock_whose_connection_was_cut_is_taken_again_and_the_run_goes_on(
    make_app: MakeApp, postgresql_url: str
) -> None:
    with proxied(postgresql_url, idle=0.8) as proxy:
        result = invoke(make_app(proxy.url, LINE), "upgrade")
        assert proxy.cut, result
    assert result.returncode == 0, result.stderr
    assert heads(postgresql_url) == {"bbb222"}
    assert tables(postgresql_url) == {"a", "b", "alembic_version"}


@pytest.mark.usefixtures("silent")
def test_the_index_that_was_left_invalid_is_named_though_the_locks_connection_was_cut(
    make_app: MakeApp, postgresql_url: str
) -> None:
    with proxied(postgresql_url, idle=0.8) as proxy:
        ini = make_app(proxy.url, [TWICE, Revision("bbb222", "aaa111", upgrade=UNIQUE)])
        result = invoke(ini, "upgrade", "--json")
        assert proxy.cut, result
    assert result.returncode == 9, result.stderr
    error = json.loads(result.stdout)["error"]
    assert error["invalid_indexes"] == ["ix_a"]
    assert "run `DROP INDEX CONCURRENTLY ix_a;`" in error["hint"]

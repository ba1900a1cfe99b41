"""Databases for one test after the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.database import change, rows, tables
from support.history import MakeApp, Revision, create_table

from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.commands.scratch_pool import ScratchPool, scratch_pool
from myapp.migrator.settings.settings import load_settings

LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
]


@pytest.fixture
def pool(make_app: MakeApp, database_url: str) -> Iterator[ScratchPool]:
    context = build_context(load_settings(str(make_app(database_url, LINE))))
    with scratch_pool(context) as pool:
        yield pool


def test_two_at_once_are_two(pool: ScratchPool) -> None:
    with pool.database() as one, pool.database() as other:
        change(one.url, "INSERT INTO b DEFAULT VALUES")
        assert one.url != other.url
        assert rows(other.url, "SELECT count(*) FROM b") == [(0,)]
        assert one.rows == other.rows == ("bbb222",)


@pytest.mark.parametrize(
    "statement", ["INSERT INTO b DEFAULT VALUES", "CREATE TABLE c (id int)", "DROP TABLE b"]
)
def test_what_one_has_done_the_next_does_not_see(pool: ScratchPool, statement: str) -> None:
    with pool.database() as one:
        change(one.url, statement)
    with pool.database() as next_one:
        assert tables(next_one.url) == {"a", "b", "alembic_version"}
        assert rows(next_one.url, "SELECT count(*) FROM b") == [(0,)]


@pytest.mark.parametrize(
    ("statement", "is_same"),
    [("INSERT INTO b DEFAULT VALUES", True), ("CREATE TABLE c (id int)", False)],
)
def test_it_is_copied_again_only_if_it_must_be(
    make_app: MakeApp, postgresql_url: str, statement: str, is_same: bool
) -> None:
    [(version,)] = rows(postgresql_url, "SELECT current_setting('server_version_num')::int")
    context = build_context(load_settings(str(make_app(postgresql_url, LINE))))
    with scratch_pool(context) as pool:
        with pool.database() as one:
            change(one.url, statement)
        with pool.database() as next_one:
            assert (one.url == next_one.url) == (is_same and version >= 150000)


def test_nothing_is_left_of_it(make_app: MakeApp, sqlite_url: str) -> None:
    context = build_context(load_settings(str(make_app(sqlite_url, LINE))))
    with scratch_pool(context) as pool, pool.database() as made:
        path = Path(made.url.removeprefix("sqlite:///"))
        assert path.exists()
    assert not path.parent.parent.exists()

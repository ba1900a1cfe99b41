"""The names of databases, and which of them are the same."""

import pytest

from myapp.migrator.base.results import VersionTable, name_of, short_name

ONE = VersionTable("postgresql+psycopg2://me@here/one", "public", "alembic_version", ())
TWO = VersionTable("postgresql+psycopg2://me@here/two", "public", "alembic_version", ())
TENANT = VersionTable("postgresql+psycopg2://me@here/one", "tenant", "alembic_version", ())
OTHER = VersionTable("postgresql+psycopg2://me@here/one", "public", "other", ())


def test_a_name_says_no_more_than_tells_it_from_the_others() -> None:
    assert name_of(ONE, [ONE]) == ONE.database
    assert name_of(ONE, [ONE, TWO]) == ONE.database
    assert name_of(ONE, [ONE, TWO, TENANT]) == f"{ONE.database}, schema public"
    assert name_of(TENANT, [ONE, TWO, TENANT]) == f"{ONE.database}, schema tenant"
    assert name_of(OTHER, [ONE, OTHER]) == f"{ONE.database}, table other"


def test_a_place_is_the_same_for_a_user_that_is_new_each_time() -> None:
    again = VersionTable("postgresql+psycopg2://v-72:***@here/one", "public", "alembic_version", ())
    assert again.place == ONE.place
    files = [VersionTable(f"sqlite:///{name}@here", None, "alembic_version", ()) for name in "ab"]
    assert files[0].place != files[1].place
    assert len({ONE.place, TWO.place, TENANT.place, OTHER.place}) == 4


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql+psycopg2://me@db.example.com:5433/shop", "shop on db.example.com:5433"),
        ("postgresql+psycopg2://me:***@db.example.com/shop", "shop on db.example.com"),
        ("postgresql+psycopg2://db.example.com/shop", "shop on db.example.com"),
        ("postgresql+psycopg2://me@a:5432,b:5432/shop", "shop on a:5432,b:5432"),
        ("postgresql+psycopg2://me@/shop", "shop"),
        ("postgresql+psycopg2://", "postgresql+psycopg2://"),
        ("sqlite:////home/me/shop.sqlite", "/home/me/shop.sqlite"),
        ("sqlite+pysqlite:///shop.sqlite", "shop.sqlite"),
        ("sqlite:////home/me@work/shop.sqlite", "/home/me@work/shop.sqlite"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_people_name_a_database_by_its_name_and_its_server(url: str, name: str) -> None:
    assert short_name(url) == name

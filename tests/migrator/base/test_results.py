"""The names of databases, and which of them are the same."""

from myapp.migrator.base.results import VersionTable, name_of

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

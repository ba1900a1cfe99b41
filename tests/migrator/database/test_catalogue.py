"""What stands in a schema, and how two of them differ."""

import sqlalchemy as sa
from support.database import change, connection_to

from myapp.migrator.database.catalogue import Catalogue, catalogue, differences

TABLE = "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, size int CHECK (size > 0))"


def found(url: str, *without: str) -> Catalogue:
    with connection_to(url) as connection:
        return catalogue(connection, without)


def test_a_schema_equals_itself(database_url: str) -> None:
    change(database_url, TABLE, "CREATE INDEX by_name ON t (name)")
    assert differences(found(database_url), found(database_url)) == ()


def test_the_facts_that_differ_are_named(database_url: str) -> None:
    change(database_url, TABLE, "CREATE INDEX by_name ON t (name)")
    before = found(database_url)
    change(database_url, "DROP INDEX by_name", "CREATE INDEX by_name ON t (size)")
    (difference,) = differences(before, found(database_url))
    assert (difference.kind, difference.changed) == ("index", ("definition",))
    assert difference.name.endswith("by_name")


def test_what_a_table_has_is_told_with_the_table(database_url: str) -> None:
    before = found(database_url)
    change(database_url, TABLE, "CREATE INDEX by_name ON t (name)")
    (difference,) = differences(before, found(database_url))
    assert (difference.kind, difference.expected) == ("table", None)


def test_the_order_of_columns_is_a_difference_of_its_own(database_url: str) -> None:
    change(database_url, TABLE)
    before = found(database_url)
    change(database_url, "ALTER TABLE t DROP COLUMN name")
    added = "ALTER TABLE t ADD COLUMN name text NOT NULL DEFAULT ''"
    change(database_url, added.removesuffix(" DEFAULT ''") if "post" in database_url else added)
    kinds = [each.kind for each in differences(before, found(database_url))]
    assert kinds == (["column order"] if "post" in database_url else ["column", "column order"])


def test_a_column_that_was_added_is_told_without_an_order(database_url: str) -> None:
    change(database_url, TABLE)
    before = found(database_url)
    change(database_url, "ALTER TABLE t ADD COLUMN note text")
    assert [each.kind for each in differences(before, found(database_url))] == ["column"]


def test_the_version_table_is_left_out(database_url: str) -> None:
    before = found(database_url)
    change(database_url, "CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
    assert (
        differences(before, found(database_url, "alembic_version", "public.alembic_version")) == ()
    )


def test_the_session_is_left_as_it_was(postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.connect() as connection:
        connection.exec_driver_sql("SET search_path TO pg_temp, public")
        catalogue(connection)
        path = connection.exec_driver_sql("SHOW search_path").scalar()
    engine.dispose()
    assert path == "pg_temp, public"


def test_the_query_is_prepared_for_those_who_ask_often(postgresql_url: str) -> None:
    """A pooler may have given the session to somebody else meanwhile."""
    change(postgresql_url, TABLE)
    with connection_to(postgresql_url) as connection:
        taken = [catalogue(connection) for _ in range(3)]
        connection.exec_driver_sql("DEALLOCATE ALL")
        taken.append(catalogue(connection))
    assert all(each == taken[0] for each in taken)


def test_a_connection_that_commits_each_statement_is_good_enough(postgresql_url: str) -> None:
    change(postgresql_url, TABLE)
    engine = sa.create_engine(
        postgresql_url.replace("postgresql://", "postgresql+psycopg2://"),
        isolation_level="AUTOCOMMIT",
    )
    with engine.connect() as connection:
        assert catalogue(connection) == found(postgresql_url)
    engine.dispose()

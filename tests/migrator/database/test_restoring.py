"""A database that is brought back to how it was, and what can't be."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from support.database import change, rows

from myapp.migrator.database.engine import engine_at, own_engine
from myapp.migrator.database.own_connection import OwnConnection
from myapp.migrator.database.restoring import Restorer
from myapp.migrator.database.url import engine_url

SCHEMA = (
    "CREATE TABLE people (id serial PRIMARY KEY, name text)",
    "CREATE TABLE pets (id serial PRIMARY KEY, owner int REFERENCES people)",
    "CREATE TABLE roles (id serial PRIMARY KEY, name text)",
    "INSERT INTO roles (name) VALUES ('admin')",
    'CREATE TABLE "odd%%s" (x int)',
    "CREATE SEQUENCE numbers START 7",
    "CREATE MATERIALIZED VIEW names AS SELECT name FROM people",
)
#: What writes to the tables that all databases share.
OTHERS = ("CREATE ROLE restoring", "COMMENT ON ROLE restoring IS 'one'", "DROP ROLE restoring")
#: What the tables and the sequences say.
LOOK = (
    "SELECT 'people', count(*), 0 FROM people UNION ALL SELECT 'pets', count(*), 0 FROM pets"
    " UNION ALL SELECT name, id, 0 FROM roles"
    " UNION ALL SELECT 'odd', count(*), 0 FROM \"odd%%s\" UNION ALL"
    " SELECT 'ids', last_value, is_called::int FROM people_id_seq UNION ALL"
    " SELECT 'numbers', last_value, is_called::int FROM numbers"
)


@pytest.fixture(autouse=True)
def _counts_in_time(postgresql_url: str) -> None:
    [(version,)] = rows(postgresql_url, "SELECT current_setting('server_version_num')::int")
    if version < 150000:
        pytest.skip("PostgreSQL 14 sends its counts some time later, so nothing is brought back")


@pytest.fixture
def restorer(postgresql_url: str) -> Iterator[Restorer]:
    change(postgresql_url, *SCHEMA)
    connection = OwnConnection(own_engine(engine_at(engine_url(postgresql_url))))
    with closing(connection):
        yield Restorer(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "INSERT INTO people (name) VALUES ('Ann')",
        "INSERT INTO people (name) SELECT repeat(md5(n::text), 900) FROM generate_series(1, 20) n",
        "WITH owner AS (INSERT INTO people (name) VALUES ('Ann') RETURNING id)"
        " INSERT INTO pets (owner) SELECT id FROM owner",
        'INSERT INTO "odd%%s" VALUES (1)',
        "SELECT nextval('numbers')",
        "SELECT setval('numbers', 9, false)",
        "ANALYZE",
    ],
)
def test_rows_and_sequences_are_as_before(
    statement: str, restorer: Restorer, postgresql_url: str
) -> None:
    before = rows(postgresql_url, LOOK)
    for _ in range(2):
        change(postgresql_url, statement)
        assert restorer.restore()
        assert rows(postgresql_url, LOOK) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE roles SET name = 'root'",
        "DELETE FROM roles",
        "TRUNCATE people CASCADE",
        "CREATE TABLE more (id int)",
        "CREATE TEMPORARY TABLE more (id int)",
        "ALTER TABLE people ADD COLUMN age int",
        "DROP SEQUENCE numbers",
        "GRANT SELECT ON people TO PUBLIC",
        "COMMENT ON TABLE people IS 'others'",
        "REFRESH MATERIALIZED VIEW names",
        "SELECT lo_from_bytea(0, 'large')",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''9MB''',"
        " current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''mine''',"
        " current_database()); END $$",
    ],
)
def test_what_is_not_known_to_be_undone_is_told(
    statement: str, restorer: Restorer, postgresql_url: str
) -> None:
    change(postgresql_url, statement.replace("%", "%%"))
    assert not restorer.restore()


def test_a_trigger_that_writes_elsewhere_is_noticed(postgresql_url: str) -> None:
    change(
        postgresql_url,
        *SCHEMA,
        "CREATE TABLE log (what text)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO log VALUES (TG_OP); RETURN NULL; END'",
        "CREATE TRIGGER note AFTER TRUNCATE ON people EXECUTE FUNCTION note()",
    )
    connection = OwnConnection(own_engine(engine_at(engine_url(postgresql_url))))
    with closing(connection):
        made = Restorer(connection)
        change(postgresql_url, "INSERT INTO people (name) VALUES ('Ann')")
        assert not made.restore()


def test_a_session_that_is_still_writing_is_cut_off(
    restorer: Restorer, postgresql_url: str
) -> None:
    before = rows(postgresql_url, LOOK)
    with closing(psycopg2.connect(postgresql_url)) as other, other.cursor() as cursor:
        cursor.execute("INSERT INTO people (name) VALUES ('Ann')")
        assert restorer.restore()
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("SELECT 1")
    assert rows(postgresql_url, LOOK) == before


def test_what_others_do_on_the_server_does_not_count(
    restorer: Restorer, postgresql_url: str
) -> None:
    change(postgresql_url, *OTHERS)
    assert restorer.restore()

"""Invalid indexes are found, and so is a statement that would take one for its own."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from sqlalchemy import create_engine
from support import postgresql
from support.database import rows
from support.invalid_indexes import leave_invalid, two_alike
from support.processes import until
from support.sessions import session

from myapp.migrator.database.invalid_indexes import Ask, InvalidIndex, in_the_way, left_invalid


@pytest.fixture
def ask(postgresql_url: str) -> Iterator[Ask]:
    # Within one transaction, a server shows the same progress again and again.
    url = postgresql_url.replace("postgresql:", "postgresql+psycopg2:")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield lambda sql: [*connection.exec_driver_sql(sql)]
    engine.dispose()


def names(ask: Ask) -> list[str]:
    return sorted(index.name for index in left_invalid(ask))


def test_where_all_are_valid_none_is_found_and_a_statement_is_hardly_looked_at(ask: Ask) -> None:
    assert left_invalid(ask) == frozenset()
    asked: list[str] = []

    def noted(sql: str) -> list[Any]:
        asked.append(sql)
        return ask(sql)

    assert in_the_way("INSERT INTO a VALUES ('index')", noted) is None
    assert asked == []
    assert in_the_way("CREATE INDEX ix ON a (x)", noted) is None
    assert len(asked) == 1


def test_each_is_told_with_its_table_and_its_schema_where_sql_needs_it(
    ask: Ask, postgresql_url: str
) -> None:
    postgresql.execute(postgresql_url, 'CREATE SCHEMA "S t"')
    two_alike(postgresql_url, "a", '"S t"."T"')
    leave_invalid(postgresql_url, "ix", "a")
    leave_invalid(postgresql_url, '"Ix 2"', '"S t"."T"')
    assert sorted(map(str, left_invalid(ask))) == [
        'index "S t"."Ix 2" of table "S t"."T"',
        "index ix of table a",
    ]
    assert sorted(index.cure for index in left_invalid(ask)) == [
        '`DROP INDEX CONCURRENTLY "S t"."Ix 2";` removes it, `REINDEX INDEX CONCURRENTLY'
        ' "S t"."Ix 2";` builds it',
        "`DROP INDEX CONCURRENTLY ix;` removes it, `REINDEX INDEX CONCURRENTLY ix;` builds it",
    ]


def test_what_reindex_has_left_can_only_be_removed(ask: Ask, postgresql_url: str) -> None:
    postgresql.execute(
        postgresql_url,
        "CREATE TABLE a AS SELECT 1 AS x",
        "CREATE FUNCTION f(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1 / x'",
        "CREATE INDEX ix ON a (f(x))",
        "CREATE OR REPLACE FUNCTION f(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x / 0'",
    )
    for _ in range(2):
        with pytest.raises(psycopg2.errors.DivisionByZero):
            postgresql.execute(postgresql_url, "REINDEX INDEX CONCURRENTLY ix")
    assert sorted(index.cure for index in left_invalid(ask)) == [
        "`DROP INDEX CONCURRENTLY ix_ccnew1;` removes it",
        "`DROP INDEX CONCURRENTLY ix_ccnew;` removes it",
    ]


def test_what_a_cut_drop_has_left_is_found_when_the_drop_has_ended(
    ask: Ask, postgresql_url: str
) -> None:
    two_alike(postgresql_url, "a")
    postgresql.execute(postgresql_url, "CREATE INDEX ix ON a (x)")
    with waiting(postgresql_url, "a", "DROP INDEX CONCURRENTLY ix"):
        assert left_invalid(ask) == frozenset()
    assert names(ask) == ["ix"]


def test_an_index_that_another_session_builds_now_is_not_left_but_in_the_way(
    ask: Ask, postgresql_url: str
) -> None:
    two_alike(postgresql_url, "a")
    leave_invalid(postgresql_url, "old", "a")
    with waiting(postgresql_url, "a", "CREATE INDEX CONCURRENTLY ix ON a (x)"):
        assert names(ask) == ["old"]
        found = in_the_way("CREATE INDEX IF NOT EXISTS ix ON a (x)", ask)
    assert found is not None
    assert found.is_in_work
    assert names(ask) == ["ix", "old"]


@contextmanager
def waiting(url: str, table: str, statement: str) -> Iterator[None]:
    """Let a statement of another session wait for a writer within, and cancel it then."""
    before = invalid_in(url)
    with session(url, f"INSERT INTO {table} VALUES (3)"), closing(psycopg2.connect(url)) as other:
        other.autocommit = True
        thread = threading.Thread(target=cut_short, args=(other, statement))
        thread.start()
        until(lambda: invalid_in(url) > before)
        yield
        other.cancel()
        thread.join()


def invalid_in(url: str) -> int:
    ((count,),) = rows(url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid")
    return int(count)


def cut_short(connection: Any, statement: str) -> None:
    with pytest.raises(psycopg2.errors.QueryCanceled):
        connection.cursor().execute(statement)


def test_an_index_of_a_partitioned_table_is_found_only_where_it_is_in_the_way(
    ask: Ask, postgresql_url: str
) -> None:
    postgresql.execute(
        postgresql_url,
        "CREATE TABLE p (x int) PARTITION BY RANGE (x)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)",
        "CREATE INDEX ix ON ONLY p (x)",
    )
    assert left_invalid(ask) == frozenset()
    assert in_the_way("CREATE INDEX IF NOT EXISTS ix ON ONLY p (x)", ask) is None
    found = in_the_way("CREATE INDEX IF NOT EXISTS ix ON p (x)", ask)
    assert found == InvalidIndex("ix", "p", is_partitioned=True, can_be_rebuilt=False)
    assert found.removal == "DROP INDEX ix;"


@pytest.fixture
def invalid(postgresql_url: str) -> None:
    postgresql.execute(postgresql_url, "CREATE SCHEMA s", "CREATE SCHEMA t")
    two_alike(postgresql_url, "a", "s.a")
    leave_invalid(postgresql_url, "ix", "a")
    leave_invalid(postgresql_url, '"I ""x"', "s.a")
    leave_invalid(postgresql_url, "x" * 80, "a")
    postgresql.execute(postgresql_url, "CREATE TABLE t.a (x int)", "CREATE INDEX ix ON t.a (x)")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("CREATE INDEX ix ON a (x)", "ix"),
        ("create unique index concurrently if not exists IX on only A using btree (x)", "ix"),
        ('CREATE INDEX "ix" ON "public" . "a" (x)', "ix"),
        ("/* a */ CREATE -- b\n INDEX ix ON a (x);", "ix"),
        ("SET lock_timeout = 0; CREATE INDEX IF NOT EXISTS ix ON a (x)", "ix"),
        (r"CREATE INDEX IF NOT EXISTS ix ON a (x) WHERE x::text = '\ '", "ix"),
        (f"CREATE INDEX {'x' * 80} ON a (x)", "x" * 63),
        ('CREATE INDEX "I ""x" ON s.a (x)', 's."I ""x"'),
        ('CREATE INDEX "I ""x" ON a (x)', None),
        ("CREATE INDEX ix ON s.a (x)", None),
        ("CREATE INDEX ix ON t.a (x)", None),
        ('CREATE INDEX "IX" ON a (x)', None),
        ("CREATE INDEX ix ON nowhere (x)", None),
        ("CREATE INDEX ON a (x)", None),
        ("DROP INDEX ix; CREATE INDEX ix ON a (x)", None),
        ("ALTER INDEX ix RENAME TO old; CREATE INDEX ix ON a (x)", None),
        ("SELECT 'CREATE INDEX ix ON a (x)'", None),
        ("INSERT INTO notes VALUES ('; CREATE INDEX ix ON a (x)')", None),
        ("DROP INDEX ix", None),
        ("REINDEX INDEX CONCURRENTLY ix", None),
    ],
)
@pytest.mark.usefixtures("invalid")
def test_a_statement_meets_an_invalid_index_of_its_name_in_its_tables_schema(
    ask: Ask, sql: str, found: str | None
) -> None:
    index = in_the_way(sql, ask)
    assert (index and index.name) == found


@pytest.mark.usefixtures("invalid")
def test_the_sessions_search_path_says_which_table_is_meant(ask: Ask) -> None:
    ask("SELECT set_config('search_path', 't, public', false)")
    assert in_the_way("CREATE INDEX ix ON a (x)", ask) is None
    ask("SELECT set_config('search_path', 's', false)")
    index = in_the_way('CREATE INDEX "I ""x" ON a (x)', ask)
    assert index is not None
    assert index.name == '"I ""x"'

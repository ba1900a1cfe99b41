"""The sizes of the tables that SQL names."""

import pytest
from support.database import change, connection_to

from myapp.migrator.base.plans import TableSize
from myapp.migrator.database.table_sizes import named_in, table_sizes

USERS = TableSize("public", "users", 10, 1)
ORDERS = TableSize("public", "Orders", 10, 1)
HIDDEN = TableSize("shop", "items", 10, 1, is_visible=False)
TABLES = (USERS, ORDERS, HIDDEN)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE users ADD COLUMN a INTEGER", (USERS,)),
        ("UPDATE public.USERS SET a = 'Orders'", (USERS,)),
        ('DELETE FROM "Orders" -- users', (ORDERS,)),
        ("SELECT 1 FROM shop.items", (HIDDEN,)),
        ("SELECT items, a.users FROM a", ()),
        ("DO $$ BEGIN UPDATE users SET a = 1; END $$", (USERS,)),
        ('SELECT users.a FROM users JOIN "Orders" o ON o.id = 1', (USERS, ORDERS)),
        ("CREATE TABLE users_of_orders (a INTEGER)", ()),
    ],
)
def test_the_tables_are_those_that_the_sql_names(sql: str, expected: tuple[TableSize, ...]) -> None:
    assert named_in([sql], TABLES) == expected


def test_postgresql_tells_what_it_has_counted_last(postgresql_url: str) -> None:
    change(
        postgresql_url,
        "CREATE SCHEMA shop",
        "CREATE TABLE users AS SELECT generate_series(1, 1000) AS id",
        "ANALYZE users",
        "CREATE TABLE shop.fresh (id INTEGER)",
        "CREATE TABLE parts (id INTEGER) PARTITION BY RANGE (id)",
        "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (1) TO (9)",
        "INSERT INTO parts VALUES (1), (2)",
        "ANALYZE parts",
        "ANALYZE part",
    )

    with connection_to(postgresql_url) as connection:
        fresh, part, parts, users = sorted(table_sizes(connection), key=lambda each: each.name)

    assert (users.rows, users.title) == (1000, "users")
    assert users.bytes
    assert users.bytes >= 1000 * 28
    assert (fresh.rows, fresh.bytes, fresh.title) == (None, 0, "shop.fresh")
    assert (parts.rows, parts.bytes) == (2, part.bytes)


def test_a_table_that_is_locked_whole_is_not_waited_for(postgresql_url: str) -> None:
    change(postgresql_url, "CREATE TABLE users AS SELECT generate_series(1, 1000) AS id")
    found: list[TableSize] = []

    with connection_to(postgresql_url) as holder, connection_to(postgresql_url) as asker:
        holder.exec_driver_sql("LOCK TABLE users")
        asker.exec_driver_sql("SET lock_timeout = '2s'")
        found += table_sizes(asker)

    assert [each.name for each in found] == ["users"]


def test_sqlite_counts_small_tables(sqlite_url: str) -> None:
    change(
        sqlite_url,
        'CREATE TABLE "my ""users" (id INTEGER PRIMARY KEY, name TEXT)',
        "INSERT INTO \"my \"\"users\" (name) VALUES ('a'), ('b')",
        "CREATE TABLE large (id INTEGER PRIMARY KEY)",
        "INSERT INTO large WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
        " i < 100005) SELECT i FROM n",
    )

    with connection_to(sqlite_url) as connection:
        large, small = sorted(table_sizes(connection), key=lambda each: each.name)

    assert (small.name, small.rows, small.bytes) == ('my "users', 2, 4096)
    assert (large.rows, bool(large.bytes)) == (100_005, True)

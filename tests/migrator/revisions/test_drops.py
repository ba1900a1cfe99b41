"""What a revision drops, as its text says it."""

from pathlib import Path

import pytest
from support.history import Revision, add_revision, make_history

from myapp.migrator.base.losses import Drop
from myapp.migrator.revisions.drops import drops_in_sql, drops_of


def drops(folder: Path, upgrade: str, rest: str = "") -> list[Drop]:
    make_history(folder / "m")
    path = add_revision(folder / "m", Revision("aaa111", upgrade=upgrade))
    path.write_text(f"{path.read_text()}\n{rest}\n")
    return list(drops_of(str(path), "upgrade"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("op.drop_table('users')", Drop("table", "users")),
        ("op.drop_table('users', schema='shop')", Drop("table", "users", None, "shop")),
        ("op.drop_table(table_name='users')", Drop("table", "users")),
        ("op.drop_table(name_of())", Drop("table", None)),
        ("op.drop_table(TABLE)", Drop("table", "orders")),
        ("op.drop_column('users', 'email')", Drop("column", "users", "email")),
        ("op.drop_column('users', name)", Drop("column", "users", None)),
        ("drop_column_of(batch)", Drop("column", None, "email")),
        (
            "with op.batch_alter_table('users', schema='s') as b:\n    b.drop_column('email')",
            Drop("column", "users", "email", "s"),
        ),
        ("op.execute('DROP TABLE users')", Drop("table", "users")),
        ("op.execute(sa.text('DELETE FROM users'))", Drop("rows", "users")),
        ("op.get_bind().execute(sa.text('TRUNCATE users').bindparams())", Drop("rows", "users")),
        ("op.get_bind().exec_driver_sql('drop table users')", Drop("table", "users")),
        ("sql = 'drop table users'\nop.execute(sql)", Drop("table", "users")),
        ("op.execute(f'DROP TABLE {TABLE}')", Drop("table", "orders")),
        ("op.execute(f'DROP TABLE {name}')", Drop("table", None)),
        ("op.execute('DROP TABLE %s' % name)", Drop("table", None)),
        ("op.execute('DROP TABLE {}'.format(name))", Drop("table", None)),
        ("op.execute(users.delete().where(users.c.id == 1))", Drop("rows", None)),
        ("op.execute(sa.delete(users))", Drop("rows", None)),
        ("users.metadata.drop_all(op.get_bind())", Drop("table", None)),
        ("helper()", Drop("table", "helped")),
        ("globals()['upgrade_%s' % name]()", Drop("table", "multi")),
    ],
)
def test_a_drop_is_found(tmp_path: Path, code: str, expected: Drop) -> None:
    rest = (
        "TABLE = 'orders'\n"
        "def helper():\n    op.drop_table('helped')\n"
        "def drop_column_of(batch):\n    batch.drop_column('email')\n"
        "def upgrade_one():\n    op.drop_table('multi')\n"
    )
    assert drops(tmp_path, code, rest) == [expected]


def test_each_batch_has_its_own_table(tmp_path: Path) -> None:
    code = (
        "with op.batch_alter_table('a') as batch_op:\n    batch_op.drop_column('x')\n"
        "with op.batch_alter_table('b') as batch_op:\n    batch_op.drop_column('y')\n"
    )
    assert drops(tmp_path, code) == [Drop("column", "a", "x"), Drop("column", "b", "y")]


@pytest.mark.parametrize(
    "code",
    [
        "op.create_table('users')",
        "op.drop_index('ix_users')",
        "op.drop_constraint('fk', 'users')",
        "op.execute('ALTER TABLE users ALTER COLUMN a DROP DEFAULT')",
        "op.execute('ALTER TABLE users DROP CONSTRAINT fk')",
        "op.execute('-- DROP TABLE users')",
        "op.execute('ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b ON DELETE CASCADE')",
        "op.execute('CREATE FUNCTION f() RETURNS trigger AS $$ DELETE FROM a $$')",
        "print('drop table users')",
    ],
)
def test_what_drops_no_data_is_not_told(tmp_path: Path, code: str) -> None:
    assert drops(tmp_path, code) == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DROP TABLE IF EXISTS a, shop.b CASCADE", ["table a", "table shop.b"]),
        ('drop table "Shop"."Users"; DROP TABLE `x`', ["table Shop.Users", "table x"]),
        ("ALTER TABLE ONLY Users DROP COLUMN IF EXISTS Email", ["column users.email"]),
        ("alter table a drop x, drop column y, drop constraint z", ["column a.x", "column a.y"]),
        ("DROP SCHEMA shop CASCADE", ["schema shop"]),
        ("TRUNCATE TABLE a, b RESTART IDENTITY", ["rows of a", "rows of b"]),
        ("DELETE FROM shop.a WHERE x", ["rows of shop.a"]),
    ],
)
def test_sql_is_understood(sql: str, expected: list[str]) -> None:
    assert [drop.text for drop in drops_in_sql(sql)] == expected


def test_only_the_function_that_runs_is_read(tmp_path: Path) -> None:
    folder = make_history(tmp_path / "m")
    path = str(add_revision(folder, Revision("aaa111", downgrade="op.drop_table('users')")))

    assert drops_of(path, "upgrade") == ()
    assert drops_of(path, "downgrade") == (Drop("table", "users"),)


@pytest.mark.parametrize("name", ["gone.py", "aaa111_.pyc"])
def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "aaa111_.pyc").write_bytes(b"\xff drop")

    assert drops_of(str(tmp_path / name), "upgrade") == ()

"""Operations in words."""

import pytest
import sqlalchemy as sa
from alembic.operations import ops

from myapp.migrator.bridge.operations import described, leaves, message_of


class RefreshViewOp(ops.MigrateOperation):
    """An operation of somebody else's, which has no tuple."""

    def __init__(self, name: str) -> None:
        self.view_name = name


class ShortOp(RefreshViewOp):
    """Its tuple has the verb only."""

    def to_diff_tuple(self) -> tuple[str, ...]:
        return ("short_one",)


class LongOp(RefreshViewOp):
    """Its tuple has what Alembic's never have."""

    def to_diff_tuple(self) -> tuple[object, ...]:
        return ("modify_view", self.view_name, 1)


TABLE = sa.Table("t", sa.MetaData(), sa.Column("x", sa.Integer), schema="s")


@pytest.mark.parametrize(
    ("operation", "lines"),
    [
        (ops.CreateTableOp("t", []), ["add table t"]),
        (ops.DropTableOp("t", schema="s"), ["remove table s.t"]),
        (ops.RenameTableOp("t", "u", schema="s"), ["rename table s.t to s.u"]),
        (ops.AddColumnOp("t", sa.Column("x"), schema="s"), ["add column s.t.x"]),
        (ops.DropColumnOp("t", "x", schema="s"), ["remove column s.t.x"]),
        (ops.AlterColumnOp("t", "x", modify_name="y"), ["rename column t.x to y"]),
        (
            ops.AlterColumnOp("t", "x", schema="s", existing_nullable=True, modify_nullable=False),
            ["modify nullable of s.t.x: True -> False"],
        ),
        (
            ops.AlterColumnOp(
                "t", "x", modify_name="y", modify_comment="new", modify_server_default=None
            ),
            [
                "rename column t.x to y",
                "modify default of t.x: None -> None",
                "modify comment of t.x: None -> 'new'",
            ],
        ),
        (ops.AlterColumnOp("t", "x", modify_other=1), ["modify column t.x"]),
        (ops.CreateIndexOp("ix", "t", ["x"], schema="s"), ["add index ix on s.t (x)"]),
        (ops.DropConstraintOp("ck", "t", "check"), ["remove constraint ck on t"]),
        (ops.DropConstraintOp("ck", "t", schema="s"), ["remove constraint ck on s.t"]),
        (ops.CreateCheckConstraintOp("ck", "t", "x > 0"), ["add constraint ck on t"]),
        (ops.CreateTableCommentOp("t", "what", schema="s"), ["add table comment s.t"]),
        (ops.ExecuteSQLOp("SELECT 1\n  FROM t"), ["execute SELECT 1 FROM t"]),
        (RefreshViewOp("v"), ["refresh view v"]),
        (ShortOp("v"), ["short one"]),
        (LongOp("v"), ["modify view v, 1"]),
    ],
)
def test_an_operation_is_told_in_words(operation: ops.MigrateOperation, lines: list[str]) -> None:
    assert described(operation) == lines


def test_what_holds_operations_is_none_itself() -> None:
    drop = ops.DropColumnOp("t", "x")
    held = ops.UpgradeOps([ops.ModifyTableOps("t", [drop]), ops.ModifyTableOps("u", [])])

    assert list(leaves([held])) == [drop]


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([], ""),
        ([ops.CreateTableOp("users", [])], "create users"),
        ([ops.CreateTableOp("users", []), ops.CreateIndexOp("ix", "users", ["x"])], "create users"),
        ([ops.AddColumnOp("users", sa.Column("email"))], "add users.email"),
        ([ops.DropColumnOp("users", "email", schema="s")], "remove s.users.email"),
        ([ops.AlterColumnOp("users", "x", modify_nullable=True)], "alter users.x"),
        ([ops.AlterColumnOp("users", "x", modify_name="y")], "rename users.x to y"),
        ([ops.CreateIndexOp("ix_x", "users", ["x"])], "add ix_x"),
        ([ops.DropConstraintOp("ck", "users")], "remove ck"),
        ([ops.ExecuteSQLOp("SELECT 1")], "execute SQL"),
        (
            [ops.CreateTableOp("users", []), ops.DropColumnOp("posts", "title")],
            "create users, remove posts.title",
        ),
        (
            [ops.CreateTableOp(f"table_{number}", []) for number in range(9)],
            "create table_0, create table_1, create table_2 and more",
        ),
    ],
)
def test_a_message_is_made_of_the_operations(
    operations: list[ops.MigrateOperation], message: str
) -> None:
    assert message_of(operations) == message

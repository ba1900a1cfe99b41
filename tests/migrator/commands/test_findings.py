"""What autogenerate finds, what is asked about it, and what is written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from support.database import change
from support.history import ENV, MakeApp, Revision

from myapp.migrator.base.author import Author
from myapp.migrator.base.errors import UsageError
from myapp.migrator.bridge.context import RunContext
from myapp.migrator.commands.authoring import revision
from myapp.migrator.commands.comparison import check
from myapp.migrator.commands.migration import downgrade, upgrade
from myapp.migrator.config import run_context
from myapp.migrator.database.url import engine_url

ID = "Column('id', Integer, primary_key=True)"
HANDLE = "Column('handle', String(20), index=True)"
NICKNAME = "Column('nickname', String(20), index=True, nullable=False)"
FIRST = """
op.create_table(
    "users",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("handle", sa.String(20), index=True),
    sa.Column("age", sa.Integer),
)
op.execute("INSERT INTO users (id, handle, age) VALUES (1, 'a', NULL), (2, 'b', NULL)")
"""

#: Is given the columns of the models' table `users`, and what else they have.
MakeContext = Callable[..., RunContext]


@pytest.fixture
def make_context(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    make_app: MakeApp,
) -> MakeContext:
    """Make an application with a table `users`, and other models than that."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"models_{abs(hash(request.node.nodeid))}"

    def make(url: str, *columns: str, more: str = "", first: str = FIRST) -> RunContext:
        head = "from sqlalchemy import *\n\nmetadata = MetaData()\n"
        table = f"Table('users', metadata, {', '.join(columns)})\n" if columns else ""
        (tmp_path / f"{module}.py").write_text(head + table + more)
        settings = {"alembic.target_metadata": f"{module}:metadata"}
        if url.startswith("sqlite"):
            settings["alembic.render_as_batch"] = "true"
        context = run_context(make_app(url, [Revision("aaa111", upgrade=first)], settings))
        upgrade(context)
        return context

    return make


class Yes(Author):
    """Says yes to each rename, and gives the message that is suggested."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def is_renamed(self, old: str, new: str) -> bool:
        """Take note of the question."""
        self.asked.append(f"{old} -> {new}")
        return True

    def message(self, suggested: str) -> str | None:
        """Take note of the suggestion."""
        self.asked.append(suggested)
        return suggested


def handles(url: str, column: str) -> list[str]:
    with create_engine(engine_url(url)).connect() as connection:
        return sorted(connection.scalars(text(f"SELECT {column} FROM users")))


def test_a_rename_keeps_the_values_in_both_directions(
    make_context: MakeContext, database_url: str
) -> None:
    context = make_context(database_url, ID, NICKNAME, "Column('age', Integer)")

    done = revision(context, autogenerate=True, renames=["users.handle:nickname"])

    assert done.operations[:2] == (
        "rename column users.handle to nickname",
        "modify nullable of users.handle: True -> False",
    )
    assert (done.losses, done.possible_renames) == ((), ())
    upgrade(context)
    assert handles(database_url, "nickname") == ["a", "b"]
    assert check(context)
    downgrade(context, "aaa111")
    assert handles(database_url, "handle") == ["a", "b"]
    upgrade(context)
    assert check(context)


def test_the_author_is_asked_about_columns_of_one_type_only(
    make_context: MakeContext, sqlite_url: str
) -> None:
    context = make_context(sqlite_url, ID, "Column('nickname', String(20))")
    author = Yes()

    done = revision(context, autogenerate=True, author=author)

    assert author.asked == [
        "users.handle -> users.nickname",
        "rename users.handle to nickname and more",
    ]
    assert done.operations[0] == "rename column users.handle to nickname"
    assert "remove column users.age" in done.operations


def test_nobody_is_asked_of_a_column_twice(make_context: MakeContext, sqlite_url: str) -> None:
    columns = ("Column('a', String(20))", "Column('b', String(20))", "Column('age', Integer)")
    author = Yes()

    revision(make_context(sqlite_url, ID, *columns), "x", autogenerate=True, author=author)

    assert len(author.asked) == 1


def test_a_rename_may_change_the_type_if_it_is_typed(
    make_context: MakeContext, postgresql_url: str
) -> None:
    context = make_context(
        postgresql_url, ID, "Column('nickname', String(40))", "Column('age', Integer)"
    )

    first = revision(context, autogenerate=True, author=Yes())
    Path(first.revisions[0].path).unlink()
    done = revision(context, autogenerate=True, renames=["users.handle:nickname"])

    assert "remove column users.handle: its 2 values go" in first.operations
    assert done.operations[:2] == (
        "rename column users.handle to nickname",
        "modify type of users.handle: VARCHAR(length=20) -> String(length=40)",
    )
    upgrade(context)
    assert handles(postgresql_url, "nickname") == ["a", "b"]


def test_a_table_of_another_schema_is_named_with_it(
    make_context: MakeContext, postgresql_url: str, tmp_path: Path
) -> None:
    first = """
    op.execute("CREATE SCHEMA one")
    for name in (None, "one"):
        op.create_table("t", sa.Column("id", sa.Integer), sa.Column("x", sa.Integer), schema=name)
    """
    more = "".join(
        f"Table('t', metadata, Column('id', Integer), Column('y', Integer), schema={name!r})\n"
        for name in (None, "one")
    )
    context = make_context(postgresql_url, more=more, first=first)
    env = tmp_path / "migrations" / "env.py"
    env.write_text(ENV.replace("run_migrations()", "run_migrations(include_schemas=True)"))

    done = revision(context, "x", autogenerate=True, renames=["one.t.x:y"])

    assert sorted(done.operations) == [
        "add column t.y",
        "remove column t.x",
        "rename column one.t.x to y",
    ]
    assert "schema='one'" in Path(done.revisions[0].path).read_text()
    upgrade(context)
    assert inspect(create_engine(engine_url(postgresql_url))).get_columns("t", "one")[1][
        "name"
    ] == ("y")


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        ((ID, NICKNAME), "it could be `--rename users.age:nickname` or"),
        ((ID,), "it is written `TABLE.OLD:NEW`, or `OLD:NEW` for a table with the same columns."),
        ((ID, HANDLE, "Column('age', Integer)"), "it is written `TABLE.OLD:NEW`, or `OLD:NEW` for"),
    ],
)
def test_a_rename_of_what_was_not_found_writes_nothing(
    make_context: MakeContext,
    sqlite_url: str,
    tmp_path: Path,
    columns: tuple[str, ...],
    hint: str,
) -> None:
    context = make_context(sqlite_url, *columns)

    with pytest.raises(UsageError) as raised:
        revision(context, "x", autogenerate=True, renames=["users.handle:nick"])

    assert raised.value.message == (
        "`--rename users.handle:nick` names no removed and added column of one table, and no such"
        " tables."
    )
    assert raised.value.hint is not None
    assert raised.value.hint.startswith(hint)
    versions = tmp_path / "migrations" / "versions"
    assert [path.name for path in versions.glob("*.py")] == ["aaa111_.py"]


def test_a_rename_without_a_comparison_is_refused(make_app: MakeApp, sqlite_url: str) -> None:
    with pytest.raises(UsageError) as raised:
        revision(run_context(make_app(sqlite_url)), "x", renames=["users.handle:nickname"])

    assert raised.value.message == "`--rename` is about what `--autogenerate` finds."
    assert raised.value.hint == "add `--autogenerate`."


def test_what_drops_data_is_told_with_how_much(
    make_context: MakeContext, database_url: str
) -> None:
    context = make_context(
        database_url,
        more="Table('b', metadata, Column('id', Integer, primary_key=True))\n",
        first=FIRST + "op.create_table('b', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('x', sa.Integer), sa.Column('y', sa.Integer))\n"
        "op.execute('INSERT INTO b (id, x) VALUES (1, 1)')",
    )

    done = revision(context, "x", autogenerate=True)

    losses = {"remove table users: its 2 rows go", "remove column b.x: its 1 value goes"}
    assert set(done.losses) == losses
    assert losses | {"remove column b.y"} <= set(done.operations)
    assert done.possible_renames == ()


def test_an_empty_table_is_no_loss(make_context: MakeContext, sqlite_url: str) -> None:
    context = make_context(sqlite_url)
    change(sqlite_url, "DELETE FROM users")

    done = revision(context, "x", autogenerate=True)

    assert ("remove table users" in done.operations, done.losses) == (True, ())


PEOPLE = """
Table('people', metadata, Column('id', Integer, primary_key=True),
    Column('handle', String(20), index=True, nullable=False), Column('age', Integer))
Table('posts', metadata, Column('id', Integer, primary_key=True),
    Column('author', ForeignKey('people.id', name='fk_author')))
"""
POSTS = """
op.create_table("posts", sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("author", sa.Integer, sa.ForeignKey("users.id", name="fk_author")))
"""


def test_a_table_that_is_renamed_keeps_its_rows_in_both_directions(
    make_context: MakeContext, database_url: str
) -> None:
    context = make_context(database_url, more=PEOPLE, first=FIRST + POSTS)

    done = revision(context, autogenerate=True, renames=["users:people"])

    assert done.operations[:2] == (
        "rename table users to people",
        "modify nullable of people.handle: True -> False",
    )
    assert (done.losses, done.possible_renames) == ((), ())
    assert done.revisions[0].message.startswith("rename users to people")
    upgrade(context)
    with create_engine(engine_url(database_url)).connect() as connection:
        assert list(connection.scalars(text("SELECT handle FROM people ORDER BY id"))) == ["a", "b"]
    assert check(context)
    downgrade(context, "aaa111")
    assert handles(database_url, "handle") == ["a", "b"]
    upgrade(context)
    assert check(context)


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        ("Column('handle', String(20)), Column('age', Integer)", ["users -> people"]),
        ("Column('handle', Integer), Column('age', Integer)", []),
        ("Column('handle', String(20)), Column('years', Integer)", []),
    ],
)
def test_the_author_is_asked_about_tables_of_the_same_columns_only(
    make_context: MakeContext, sqlite_url: str, columns: str, asked: list[str]
) -> None:
    more = f"Table('people', metadata, {ID}, {columns})"
    author = Yes()

    revision(make_context(sqlite_url, more=more), "x", autogenerate=True, author=author)

    assert author.asked == asked

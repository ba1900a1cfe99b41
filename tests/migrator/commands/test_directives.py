"""What env.py makes of new revisions, in `process_revision_directives`."""

from pathlib import Path

import pytest
from support.history import MakeApp, Revision, create_table

from myapp.migrator.base.errors import SchemaDrift, SettingsError, UsageError
from myapp.migrator.commands.authoring import revision
from myapp.migrator.commands.comparison import check
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.config import run_context

BRANCHES = [
    Revision("aaa111", message="root"),
    Revision("bbb222", "aaa111", message="left one", branch_labels="left"),
    Revision("ccc333", "aaa111", message="right one", branch_labels="right"),
]


def files(tmp_path: Path) -> set[str]:
    """Return the names of the revision files."""
    return {path.name for path in (tmp_path / "migrations" / "versions").glob("*.py")}


MODELS = """
import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a module of this test's own, with a table `a`."""
    name = f"models_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(MODELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{name}:metadata"


def with_directives(app: Path, body: str) -> None:
    """Let env.py change what is to be written: `body` is that of process_revision_directives."""
    env = app.parent / "migrations" / "env.py"
    env.write_text(
        "from alembic.operations import ops\n"
        "from myapp.migrator.environment import run_migrations\n"
        f"def process(context, revision, directives):\n    {body}\n"
        "run_migrations(process_revision_directives=process)\n"
    )


def test_what_env_py_makes_of_the_differences_is_written(
    make_app: MakeApp, sqlite_url: str, models: str
) -> None:
    first = Revision("aaa111", **create_table("b"))
    app = make_app(sqlite_url, [first], {"alembic.target_metadata": models})
    with_directives(
        app, "directives[0].upgrade_ops.ops[:] = [ops.AlterColumnOp('b', 'id', modify_name='key')]"
    )
    upgrade(run_context(app))

    done = revision(run_context(app), "Rename", autogenerate=True)

    assert done.operations == ("rename column b.id to key",)
    assert "new_column_name='key'" in Path(done.revisions[0].path).read_text()


def test_an_operation_that_alembic_cannot_write_is_named(
    make_app: MakeApp, sqlite_url: str, models: str, tmp_path: Path
) -> None:
    app = make_app(sqlite_url, [], {"alembic.target_metadata": models})
    with_directives(app, "directives[0].upgrade_ops.ops[:] = [ops.RenameTableOp('b', 'a')]")

    with pytest.raises(SettingsError) as raised:
        revision(run_context(app), "Rename", autogenerate=True)

    assert raised.value.message == (
        "No revision was written: nothing tells Alembic how to write the operation"
        " `RenameTableOp` (rename table b to a)."
    )
    assert raised.value.hint == (
        "register a function for it with `alembic.autogenerate.renderers.dispatch_for`, in env.py."
    )
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    "body",
    [
        "directives.clear()",
        "directives[0].upgrade_ops.ops.clear(); directives[0].downgrade_ops.ops.clear()",
    ],
)
def test_nothing_is_written_where_env_py_leaves_nothing(
    make_app: MakeApp, sqlite_url: str, models: str, tmp_path: Path, body: str
) -> None:
    app = make_app(sqlite_url, [], {"alembic.target_metadata": models})
    with_directives(app, body)

    done = revision(run_context(app), "Nothing", autogenerate=True)

    assert (done.revisions, files(tmp_path)) == ((), set())


SPLIT = (
    "directives[:] = [ops.MigrationScript({ids}[name], ops.UpgradeOps(), ops.DowngradeOps(),"
    " message='both', head=name) for name in ('left', 'right')]"
)


@pytest.mark.parametrize("head", ["head", "nope"])
def test_env_py_may_give_each_revision_its_head(
    make_app: MakeApp, sqlite_url: str, head: str
) -> None:
    app = make_app(sqlite_url, BRANCHES, {"alembic.revision_environment": "true"})
    with_directives(app, SPLIT.format(ids={"left": "ddd444", "right": "eee555"}))

    done = revision(run_context(app), "both", head=head)

    follows = {each.revision: each.down_revisions for each in done.revisions}
    assert follows == {"ddd444": ("bbb222",), "eee555": ("ccc333",)}


@pytest.mark.parametrize("ids", [("ddd444", "head"), ("ddd444", "aaa111"), ("ddd444", "x" * 33)])
def test_an_id_of_env_pys_that_cannot_be_used_writes_nothing(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, ids: tuple[str, str]
) -> None:
    app = make_app(sqlite_url, BRANCHES, {"alembic.revision_environment": "true"})
    with_directives(app, SPLIT.format(ids=dict(zip(("left", "right"), ids, strict=True))))
    before = files(tmp_path)

    with pytest.raises(UsageError) as raised:
        revision(run_context(app), "both")

    assert raised.value.hint is not None
    assert raised.value.hint.endswith(
        "have `process_revision_directives`, in env.py, set another one."
    )
    assert files(tmp_path) == before


def test_a_revision_of_two_that_cannot_be_written_takes_the_other_with_it(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    settings = {"alembic.revision_environment": "true", "alembic.file_template": "%(slug)s"}
    app = make_app(sqlite_url, BRANCHES, settings)
    with_directives(app, SPLIT.format(ids={"left": "ddd444", "right": "eee555"}))
    before = files(tmp_path)

    with pytest.raises(UsageError, match=r"there is a file .*/both\.py already"):
        revision(run_context(app), "both")

    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        ("ops.DropConstraintOp('ck', 'a', 'check')", "remove constraint ck on a"),
        ("type('RefreshViewOp', (ops.MigrateOperation,), {})()", "refresh view"),
    ],
)
def test_an_operation_that_says_little_of_itself_is_a_difference(
    make_app: MakeApp, sqlite_url: str, models: str, operation: str, line: str
) -> None:
    app = make_app(
        sqlite_url, [Revision("aaa111", **create_table("a"))], {"alembic.target_metadata": models}
    )
    with_directives(app, f"directives[0].upgrade_ops.ops.append({operation})")
    upgrade(run_context(app))

    with pytest.raises(SchemaDrift) as raised:
        check(run_context(app))

    assert raised.value.details["differences"] == [line]


def test_two_new_revisions_of_one_id_are_not_written(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    app = make_app(sqlite_url, BRANCHES, {"alembic.revision_environment": "true"})
    with_directives(app, SPLIT.format(ids={"left": "ddd444", "right": "ddd444"}))
    before = files(tmp_path)

    with pytest.raises(UsageError) as raised:
        revision(run_context(app), "both")

    assert raised.value.message == "Two of the new revisions have the name `ddd444`."
    assert files(tmp_path) == before


def test_a_new_revision_may_follow_another_new_one(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, BRANCHES, {"alembic.revision_environment": "true"})
    script = "ops.MigrationScript('{}', ops.UpgradeOps(), ops.DowngradeOps(), head='{}'{})"
    first = script.format("ddd444", "left", ", branch_label='new'")
    second = script.format("eee555", "new@head", ", depends_on='ddd444'")
    with_directives(app, f"directives[:] = [{first}, {second}]")

    done = revision(run_context(app), "both")

    follows = {each.revision: each.down_revisions for each in done.revisions}
    assert follows == {"ddd444": ("bbb222",), "eee555": ("ddd444",)}

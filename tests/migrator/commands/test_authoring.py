"""Commands that write or open revision files."""

from pathlib import Path
from typing import Any

import pytest
from support.database import tables
from support.history import MakeApp, Revision, add_revision, create_table

from myapp.migrator.base.author import Author
from myapp.migrator.base.errors import (
    BadRevision,
    MigrateError,
    MultipleHeads,
    PendingMigrations,
    SettingsError,
    UsageError,
)
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.commands.authoring import merge, revision
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.config import run_context

LINE = [Revision("aaa111", message="add a"), Revision("bbb222", "aaa111", message="add b")]
BRANCHES = [
    Revision("aaa111", message="root"),
    Revision("bbb222", "aaa111", message="left one", branch_labels="left"),
    Revision("ccc333", "aaa111", message="right one", branch_labels="right"),
]


def files(tmp_path: Path) -> set[str]:
    """Return the names of the revision files."""
    return {path.name for path in (tmp_path / "migrations" / "versions").glob("*.py")}


def test_a_new_revision_follows_the_head(make_app: MakeApp, sqlite_url: str) -> None:
    config = run_context(make_app(sqlite_url, LINE))

    (new,) = revision(config, "Add c").revisions

    assert new.down_revisions == ("bbb222",)
    assert (new.message, new.is_head) == ("Add c", True)
    assert Path(new.path).name == f"{new.revision}_add_c.py"
    assert load_history(config).heads() == (new.revision,)


def test_a_new_revision_needs_no_database(make_app: MakeApp, tmp_path: Path) -> None:
    config = run_context(make_app("postgresql://nobody@127.0.0.1:1/lost", LINE))

    revision(config, "Add c", rev_id="ccc333")

    assert files(tmp_path) == {"aaa111_.py", "bbb222_.py", "ccc333_add_c.py"}


def test_every_option_of_revision_arrives_in_the_file(make_app: MakeApp, sqlite_url: str) -> None:
    config = run_context(make_app(sqlite_url, BRANCHES))

    (new,) = revision(
        config,
        "Add d",
        head="aaa111",
        splice=True,
        branch_label="new",
        rev_id="ddd444",
        depends_on=["left", "ccc3"],
    ).revisions

    text = Path(new.path).read_text()
    assert 'revision: str = "ddd444"\n' in text
    assert 'down_revision: str | Sequence[str] | None = "aaa111"\n' in text
    assert 'branch_labels: str | Sequence[str] | None = ("new",)\n' in text
    assert 'depends_on: str | Sequence[str] | None = ["left", "ccc333"]\n' in text
    assert new.branch_labels == ("new",)


@pytest.mark.parametrize(
    ("head", "parents"),
    [
        ("left@head", ("bbb222",)),
        ("ccc3", ("ccc333",)),
        ("base", ()),
        ("heads", ("bbb222", "ccc333")),
    ],
)
def test_a_new_revision_follows_the_head_that_is_named(
    make_app: MakeApp, sqlite_url: str, head: str, parents: tuple[str, ...]
) -> None:
    (new,) = revision(run_context(make_app(sqlite_url, BRANCHES)), "Add d", head=head).revisions

    assert sorted(new.down_revisions) == sorted(parents)


def test_a_new_revision_goes_to_the_folder_that_is_named(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "migrations" / "versions", tmp_path / "second"
    second.mkdir()
    settings = {
        "alembic.version_locations": f"{first}\n{second}",
        "alembic.path_separator": "newline",
    }
    config = run_context(make_app(sqlite_url, LINE, settings))

    (new,) = revision(config, "Add c", version_path=str(second)).revisions

    assert Path(new.path).parent == second


@pytest.mark.parametrize(
    ("options", "error", "message", "hint"),
    [
        (
            {},
            MultipleHeads,
            "2 heads: bbb222 (left one), ccc333 (right one). `revision` can't choose one.",
            'join them with `{cmd} merge heads -m "join"`, or name one with `--head`.',
        ),
        (
            {"head": "nope"},
            BadRevision,
            "There is no revision `nope`.",
            "`{cmd} history` lists the revisions.",
        ),
        (
            {"head": "left@head", "depends_on": ["nope"]},
            BadRevision,
            "There is no revision `nope`.",
            "`{cmd} history` lists the revisions.",
        ),
        (
            {"head": "aaa111"},
            UsageError,
            "aaa111 (root) is no head: other revisions follow it.",
            "name a head (`{cmd} heads` lists them), or add `--splice` to begin a branch there.",
        ),
        (
            {"head": "left@head", "rev_id": "a-b"},
            UsageError,
            "A revision's id can't have '-' in it, as `a-b` has.",
            "use letters, digits and `_`, or leave out `--rev-id` to have one made.",
        ),
        (
            {"head": "left@head", "branch_label": "right"},
            UsageError,
            "The branch label `right` is used by ccc333.",
            "choose another label.",
        ),
        (
            {"head": "left@head", "autogenerate": True, "sql": True},
            UsageError,
            "`--autogenerate` compares with a database, and `--sql` uses none.",
            "drop one.",
        ),
        (
            {"head": "left@head", "sql": True},
            UsageError,
            "`revision --sql` has nothing to write: no env.py runs for an empty revision.",
            "set `alembic.revision_environment = true`, or leave `--sql` out.",
        ),
        (
            {"head": "left@head", "version_path": "/tmp"},  # noqa: S108 - nothing is written there
            UsageError,
            "No revision was written: Path /tmp is not represented in current version locations.",
            "`{cmd} revision --help` shows the options.",
        ),
    ],
)
def test_a_revision_that_cannot_be_made_is_not_written(
    make_app: MakeApp,
    sqlite_url: str,
    tmp_path: Path,
    options: dict[str, object],
    error: type[MigrateError],
    message: str,
    hint: str | None,
) -> None:
    app = make_app(sqlite_url, BRANCHES)
    before = files(tmp_path)

    with pytest.raises(error) as raised:
        revision(run_context(app), "Add d", **options)  # type: ignore[arg-type]

    assert (raised.value.message, raised.value.hint) == (message, hint)
    assert files(tmp_path) == before


def test_an_id_that_is_taken_is_refused(make_app: MakeApp, sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        revision(run_context(make_app(sqlite_url, LINE)), "Add a", rev_id="aaa111")

    path = tmp_path / "migrations" / "versions" / "aaa111_.py"
    assert raised.value.message == f"There is a revision aaa111 already: {path}."
    assert raised.value.hint == "leave out `--rev-id` to have one made."
    assert files(tmp_path) == {"aaa111_.py", "bbb222_.py"}


@pytest.mark.parametrize(
    "message",
    ["it's", 'a "quoted" word', 'triple """ quotes', "a back\\slash \\", 'ends in "', "ü"],
)
def test_any_message_gives_a_file_that_can_be_loaded(
    make_app: MakeApp, sqlite_url: str, message: str
) -> None:
    config = run_context(make_app(sqlite_url, LINE))

    (new,) = revision(config, message).revisions

    assert load_history(config).get(new.revision).message == message


def test_a_message_that_breaks_another_template_leaves_no_file(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    app = make_app(sqlite_url, LINE)
    template = tmp_path / "migrations" / "script.py.mako"
    template.write_text(template.read_text().replace("${docstring(message)}", "${message}"))

    with pytest.raises(UsageError, match=r"^No revision was written: the file would not be valid"):
        revision(run_context(app), 'triple """ quotes')

    assert files(tmp_path) == {"aaa111_.py", "bbb222_.py"}


def test_the_sql_of_env_py_is_written_where_it_runs_for_revisions(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    app = make_app(sqlite_url, LINE, {"alembic.revision_environment": "True"})
    env = tmp_path / "migrations" / "env.py"
    env.write_text(env.read_text() + "from alembic import context\ncontext.execute('SELECT 1')\n")
    config = run_context(app)

    done = revision(config, "Add c", sql=True)

    assert done.sql == "SELECT 1;\n\n"
    assert len(done.revisions) == 1
    assert not (tmp_path / "test.sqlite").exists()


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


def test_autogenerate_writes_what_the_models_have_and_the_database_lacks(
    make_app: MakeApp, database_url: str, models: str
) -> None:
    config = run_context(make_app(database_url, [], {"alembic.target_metadata": models}))

    done = revision(config, "First", autogenerate=True)

    assert done.operations == ("add table a",)
    assert "op.create_table('a'," in Path(done.revisions[0].path).read_text()
    assert "alembic_version" not in tables(database_url)
    upgrade(config)
    assert tables(database_url) == {"a", "alembic_version"}


def test_an_autogenerate_that_finds_nothing_writes_nothing(
    make_app: MakeApp, database_url: str, models: str, tmp_path: Path
) -> None:
    first = Revision("aaa111", **create_table("a"))
    config = run_context(make_app(database_url, [first], {"alembic.target_metadata": models}))
    upgrade(config)

    done = revision(config, "Nothing", autogenerate=True)

    assert (done.revisions, done.operations) == ((), ())
    assert files(tmp_path) == {"aaa111_.py"}


def test_autogenerate_wants_a_database_that_is_up_to_date(
    make_app: MakeApp, database_url: str, models: str, tmp_path: Path
) -> None:
    first = Revision("aaa111", **create_table("a"))
    config = run_context(make_app(database_url, [first], {"alembic.target_metadata": models}))

    with pytest.raises(PendingMigrations, match="1 revision pending"):
        revision(config, "Too early", autogenerate=True)

    assert files(tmp_path) == {"aaa111_.py"}
    assert tables(database_url) == set()


def test_autogenerate_wants_models(make_app: MakeApp, sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        revision(run_context(make_app(sqlite_url)), "First", autogenerate=True)

    assert raised.value.message == (
        "There are no models to compare the database with: env.py has no `target_metadata`."
    )
    assert files(tmp_path) == set()


def test_nothing_is_made_of_an_sqlite_file_that_is_missing(
    make_app: MakeApp, sqlite_url: str, models: str, tmp_path: Path
) -> None:
    settings = {"alembic.target_metadata": models, "alembic.revision_environment": "true"}
    config = run_context(make_app(sqlite_url, BRANCHES[:1], settings))

    revision(config, "Second")
    with pytest.raises(PendingMigrations):
        revision(config, "Third", autogenerate=True)
    assert not (tmp_path / "test.sqlite").exists()


def test_an_sqlite_file_that_is_missing_is_compared_as_an_empty_database(
    make_app: MakeApp, sqlite_url: str, models: str, tmp_path: Path
) -> None:
    config = run_context(make_app(sqlite_url, [], {"alembic.target_metadata": models}))

    assert revision(config, "First", autogenerate=True).operations == ("add table a",)
    assert not (tmp_path / "test.sqlite").exists()


def test_a_revision_without_a_message_is_called_after_its_operations(
    make_app: MakeApp, sqlite_url: str, models: str
) -> None:
    config = run_context(make_app(sqlite_url, [], {"alembic.target_metadata": models}))

    (first,) = revision(config, autogenerate=True).revisions
    (empty,) = revision(config).revisions

    assert (first.message, Path(first.path).name) == ("create a", f"{first.revision}_create_a.py")
    assert (empty.message, Path(empty.path).name) == ("empty message", f"{empty.revision}_.py")


def test_a_merge_of_nothing_names_what_there_is_to_merge(
    make_app: MakeApp, sqlite_url: str
) -> None:
    with pytest.raises(UsageError) as raised:
        merge(run_context(make_app(sqlite_url, BRANCHES)), [], "Join")

    assert raised.value.message == "`merge` needs the revisions that it joins."
    assert raised.value.hint == '`{cmd} merge heads -m "join"` joins all heads.'


def test_a_merge_joins_the_heads(make_app: MakeApp, sqlite_url: str) -> None:
    config = run_context(make_app(sqlite_url, BRANCHES))

    (new,) = merge(config, ["heads"], "Join", branch_label="joined", rev_id="ddd444").revisions

    assert new.revision == "ddd444"
    assert sorted(new.down_revisions) == ["bbb222", "ccc333"]
    assert "joined" in new.branch_labels
    assert load_history(config).heads() == ("ddd444",)


@pytest.mark.parametrize("named", [["bbb222", "ccc333"], ["left", "right"], ["bbb2", "right@head"]])
def test_a_merge_joins_what_is_named(make_app: MakeApp, sqlite_url: str, named: list[str]) -> None:
    (new,) = merge(run_context(make_app(sqlite_url, BRANCHES)), named, "Join").revisions

    assert new.is_merge_point


def test_a_merge_of_what_is_no_head_needs_splice(make_app: MakeApp, sqlite_url: str) -> None:
    graph = [*BRANCHES, Revision("ddd444", "bbb222")]
    config = run_context(make_app(sqlite_url, graph))

    with pytest.raises(UsageError, match=r"^bbb222 .* is no head: other revisions"):
        merge(config, ["bbb222", "ccc333"])
    (new,) = merge(config, ["bbb222", "ccc333"], splice=True).revisions

    assert sorted(new.down_revisions) == ["bbb222", "ccc333"]


@pytest.mark.parametrize(
    ("revisions", "named", "what"),
    [
        (LINE, ["heads"], "heads names only bbb222 (add b)"),
        (BRANCHES, ["bbb222", "left"], "bbb222 left names only bbb222 (left one)"),
        ([], ["heads"], "heads names none"),
    ],
)
def test_a_merge_of_one_revision_is_refused(
    make_app: MakeApp,
    sqlite_url: str,
    tmp_path: Path,
    revisions: list[Revision],
    named: list[str],
    what: str,
) -> None:
    app = make_app(sqlite_url, revisions)
    before = files(tmp_path)

    with pytest.raises(UsageError) as raised:
        merge(run_context(app), named)

    assert raised.value.message == f"`merge` joins two revisions or more; {what}."
    assert files(tmp_path) == before


def test_a_revision_that_a_colleague_has_written_meanwhile_gets_no_second_beside_it(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    config = run_context(make_app(sqlite_url, LINE))
    migrations = tmp_path / "migrations"

    class Colleague(Author):
        """Is asked for the message, and writes a file at that moment."""

        def message(self, suggested: str) -> str | None:
            add_revision(migrations, Revision("ddd444", LINE[-1].id, "theirs"))
            return "Mine"

    with pytest.raises(UsageError) as raised:
        revision(config, author=Colleague())

    assert raised.value.message == (
        "No revision was written: another one was, meanwhile, and follows the same: ddd444"
        " (theirs). There would be two heads."
    )
    assert raised.value.hint == "run the command again, and the new one follows it."
    assert len(list((migrations / "versions").glob("*.py"))) == len(LINE) + 1


@pytest.mark.parametrize(
    ("options", "heads"),
    [
        ({"head": "base"}, 2),
        ({"head": "aaa111", "splice": True}, 2),
        ({"branch_label": "new"}, 1),
        ({"depends_on": ["aaa111"]}, 1),
    ],
)
def test_a_second_head_is_begun_only_where_that_is_said(
    options: dict[str, Any], heads: int, make_app: MakeApp, sqlite_url: str
) -> None:
    config = run_context(make_app(sqlite_url, LINE))
    revision(config, "New", **options)
    assert len(load_history(config).heads()) == heads

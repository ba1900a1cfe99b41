"""The history that the revision files form."""

import warnings
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from support import ahead
from support.graphs import GRAPHS, states
from support.history import MakeApp, Revision, add_revision

from myapp.migrator.base.errors import DatabaseAhead
from myapp.migrator.base.results import Revision as Described
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.config import run_context
from myapp.migrator.revisions.history import History, standing

GRAPH = [
    Revision("aaa111", message="first"),
    Revision("bbb222", "aaa111", branch_labels="left"),
    Revision("ccc333", "aaa111", depends_on="left", message="Add c.\n    It goes on."),
    Revision("ddd444", ("bbb222", "ccc333"), message=""),
]


@pytest.fixture
def history(make_app: MakeApp) -> History:
    return load_history(run_context(make_app("sqlite://", GRAPH)))


def test_a_revision_is_described_by_its_file(history: History, tmp_path: Path) -> None:
    assert history.get("ccc333") == Described(
        revision="ccc333",
        down_revisions=("aaa111",),
        depends_on=("left",),
        branch_labels=(),
        message="Add c. It goes on",
        doc="Add c.\nIt goes on.",
        path=str(tmp_path / "migrations" / "versions" / "ccc333_.py"),
        next_revisions=("ddd444",),
        is_head=False,
    )


def test_branch_and_merge_points_are_known(history: History) -> None:
    found = {each.revision: each for each in history.all()}

    assert [name for name, each in found.items() if each.is_branch_point] == ["aaa111"]
    assert [name for name, each in found.items() if each.is_merge_point] == ["ddd444"]
    assert [name for name, each in found.items() if each.is_head] == ["ddd444"]
    assert found["bbb222"].branch_labels == ("left",)


def test_titles_are_ids_with_their_messages(history: History) -> None:
    assert history.titles(["aaa111", "ddd444"]) == "aaa111 (first), ddd444"


@pytest.mark.parametrize(
    ("heads", "expected"), [((), "base (no revision)"), (("aaa111",), "aaa111 (first)")]
)
def test_where_a_database_stands_can_be_said(
    history: History, heads: tuple[str, ...], expected: str
) -> None:
    assert standing(history, heads) == expected


def test_what_is_applied_includes_dependencies(history: History) -> None:
    assert history.applied(["ccc333"]) == {"aaa111", "bbb222", "ccc333"}
    assert history.applied([]) == set()


def test_what_one_of_several_databases_lacks_is_pending(history: History) -> None:
    assert history.pending([("ddd444",), ("ccc333",)]) == ["ddd444"]
    assert history.pending([("ddd444",)]) == []
    assert set(history.pending([()])) == {"aaa111", "bbb222", "ccc333", "ddd444"}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_database_stands_where_alembic_says_it_does(make_app: MakeApp, name: str) -> None:
    history = load_history(run_context(make_app("sqlite://", GRAPHS[name])))

    for heads in states(history):
        theirs = {script.revision for script in history.script.get_all_current(heads)}
        assert set(history.current(heads)) == theirs, heads


@pytest.mark.parametrize("hint", ["", "More."])
def test_a_database_beyond_the_code_is_told(history: History, hint: str) -> None:
    with pytest.raises(DatabaseAhead) as raised:
        history.require_known(["aaa111", "fff999"], hint=hint)

    assert raised.value.message == ahead.cause("fff999")
    assert raised.value.hint == f"{ahead.HINT} {hint}".strip()
    assert raised.value.details["unknown"] == ["fff999"]


def test_loading_leaves_the_files_as_they_are_for_alembic(make_app: MakeApp) -> None:
    context = run_context(make_app("sqlite://", GRAPH))
    load_history(context)
    config = context.config

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ScriptDirectory.from_config(config).get_heads() == ["ddd444"]
        command.heads(config)


def test_revisions_are_found_in_all_version_locations(make_app: MakeApp, tmp_path: Path) -> None:
    other = tmp_path / "other"
    add_revision(_folder(other), Revision("bbb222", "aaa111"))
    locations = f"{tmp_path / 'migrations' / 'versions'}\n{other / 'versions'}"
    app = make_app(
        "sqlite://",
        [Revision("aaa111")],
        {"alembic.version_locations": locations, "alembic.path_separator": "newline"},
    )

    assert load_history(run_context(app)).ids == ("bbb222", "aaa111")


def _folder(path: Path) -> Path:
    (path / "versions").mkdir(parents=True)
    return path

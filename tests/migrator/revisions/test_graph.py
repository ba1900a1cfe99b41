import warnings

import pytest
from alembic.script.revision import RevisionError
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.random_histories import alembic_map, histories, revision_file, standings

from myapp.migrator.base.ask_alembic import AskAlembic
from myapp.migrator.revisions.facts import RevisionFile
from myapp.migrator.revisions.graph import Graph


@examples(200)
@given(histories())
def test_a_graph_is_the_same_as_alembics(files: list[RevisionFile]) -> None:
    graph, theirs = Graph(files), alembic_map(files)
    assert graph.heads == theirs.heads
    assert graph.effective_heads == theirs._real_heads
    assert graph.bases == theirs.bases
    for id_ in graph.files:
        script = theirs.get_revision(id_)
        assert script is not None
        assert set(graph.next_revisions[id_]) == script.nextrev
        assert set(graph.children[id_]) == script._all_nextrev
        assert graph.branch_labels[id_] == script.branch_labels
        assert graph.dependencies[id_] == script._resolved_dependencies
        assert graph.normal_parents[id_] == script._normalized_down_revisions
        assert (id_ in graph.branch_points) == script.is_branch_point
        assert (id_ in graph.merge_points) == script.is_merge_point


@examples(200)
@given(histories())
def test_all_revisions_come_in_alembics_order(files: list[RevisionFile]) -> None:
    theirs = alembic_map(files).iterate_revisions(
        "heads", "base", inclusive=True, assert_relative_length=False
    )
    assert list(Graph(files).walk()) == [script.revision for script in theirs]


@examples(200)
@given(st.data())
def test_a_database_stands_where_alembic_says(data: st.DataObject) -> None:
    files = data.draw(histories())
    graph, theirs = Graph(files), alembic_map(files)
    rows = data.draw(standings(graph))
    current = graph.current(rows)
    assert set(current) == {script.revision for script in theirs._get_all_current(rows)}
    assert sorted(current, key=graph.walk().index) == list(current)
    ancestors = theirs._get_ancestor_nodes(theirs.get_revisions(rows))
    assert graph.applied(rows) == {script.revision for script in ancestors}


@examples(100)
@given(histories(), st.data())
def test_where_one_revision_is_changed_to_nonsense_alembic_is_asked_if_it_refuses(
    files: list[RevisionFile], data: st.DataObject
) -> None:
    names = st.sampled_from([*(file.revision for file in files), "nope", "head"])
    place = data.draw(st.integers(0, len(files) - 1))
    file = files[place]
    changed = revision_file(
        data.draw(names),
        data.draw(st.lists(names, max_size=2, unique=True)),
        data.draw(st.lists(names, max_size=1)),
        file.branch_labels,
    )
    files = [*files[:place], changed, *files[place + 1 :]]
    try:
        graph = Graph(files)
    except AskAlembic:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert graph.heads == alembic_map(files).heads


@pytest.mark.parametrize(
    "files",
    [
        [revision_file("a"), revision_file("a")],
        [revision_file("a", ["b"])],
        [revision_file("a", [], ["b"])],
        [revision_file("a", ["b"]), revision_file("b", ["a"])],
        [revision_file("a"), revision_file("b", ["a"], ["c"]), revision_file("c", ["b"])],
        [revision_file("a", [], [], ["x"]), revision_file("b", ["a"], [], ["x"])],
        [revision_file("a", [], [], ["b"]), revision_file("b", ["a"])],
    ],
    ids=[
        "twice the same id",
        "no such parent",
        "no such dependency",
        "a circle",
        "a circle through a dependency",
        "twice the same label",
        "a label like an id",
    ],
)
def test_what_alembic_refuses_or_warns_of_is_left_to_it(files: list[RevisionFile]) -> None:
    with pytest.raises(AskAlembic):
        Graph(files)
    with pytest.raises((RevisionError, UserWarning, KeyError)):
        assert alembic_map(files).heads


def test_a_circle_that_alembic_overlooks_is_left_to_it() -> None:
    files = [
        revision_file("a"),
        revision_file("b", ["a", "c"]),
        revision_file("c", ["b"]),
        revision_file("d", ["c"]),
    ]
    assert alembic_map(files).heads == ("d",)
    with pytest.raises(AskAlembic):
        Graph(files)


def test_a_history_may_be_empty() -> None:
    graph = Graph([])
    assert (graph.heads, graph.effective_heads, graph.bases, graph.walk()) == ((), (), (), ())


def test_an_unknown_revision_is_left_to_alembic() -> None:
    with pytest.raises(AskAlembic):
        Graph([revision_file("a")]).current(["b"])

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.random_histories import alembic_map, histories, names, revision_file, standings

from myapp.migrator.base.ask_alembic import AskAlembic
from myapp.migrator.revisions.graph import Graph
from myapp.migrator.revisions.resolution import (
    downgrade_plan,
    resolve,
    revisions_between,
    upgrade_plan,
)

# A line from one base with a branch, a merge, and a second base that depends on the merge.
FILES = [
    revision_file("aaaa1"),
    revision_file("bbbb1", ["aaaa1"], [], ["left"]),
    revision_file("bbbb2", ["bbbb1"]),
    revision_file("cccc1", ["aaaa1"], [], ["right"]),
    revision_file("dddd1", ["bbbb2", "cccc1"]),
    revision_file("dddd2", ["dddd1"]),
    revision_file("eeee1", [], ["dddd1"], ["other"]),
    revision_file("eeee2", ["eeee1"]),
]
LINE = [revision_file(f"id{n:03}", [f"id{n - 1:03}"] if n else []) for n in range(6)]


def _ids(revisions: Iterable[Any]) -> list[str]:
    return [revision.revision for revision in revisions]


def _compare(ours: Callable[[], Sequence[str]], theirs: Callable[[], Iterable[Any]]) -> None:
    """Ask both; where ours leaves it to Alembic, anything goes, an error of Alembic's too."""
    try:
        answer = ours()
    except AskAlembic:
        return
    assert list(answer) == _ids(theirs())


@examples(300)
@given(st.data())
def test_a_name_stands_for_what_alembic_says(data: st.DataObject) -> None:
    files = data.draw(histories())
    graph, theirs = Graph(files), alembic_map(files)
    name = data.draw(names(files))
    _compare(lambda: resolve(graph, name), lambda: theirs.get_revisions(name))


@examples(400)
@given(st.data())
def test_an_upgrade_goes_through_what_alembic_says(data: st.DataObject) -> None:
    files = data.draw(histories())
    graph, theirs = Graph(files), alembic_map(files)
    rows, name = data.draw(standings(graph)), data.draw(names(files))
    _compare(
        lambda: upgrade_plan(graph, name, rows),
        lambda: theirs.iterate_revisions(name, rows, implicit_base=True),
    )


@examples(400)
@given(st.data())
def test_a_downgrade_undoes_what_alembic_says(data: st.DataObject) -> None:
    files = data.draw(histories())
    graph, theirs = Graph(files), alembic_map(files)
    rows, name = data.draw(standings(graph)), data.draw(names(files))
    _compare(
        lambda: downgrade_plan(graph, name, rows),
        lambda: theirs.iterate_revisions(rows, name, select_for_downgrade=True),
    )


@examples(300)
@given(st.data())
def test_a_range_is_alembics(data: st.DataObject) -> None:
    files = data.draw(histories())
    graph, theirs = Graph(files), alembic_map(files)
    lower, upper = data.draw(names(files)), data.draw(names(files))
    _compare(
        lambda: revisions_between(graph, lower, upper),
        lambda: theirs.iterate_revisions(
            upper, lower, inclusive=True, assert_relative_length=False
        ),
    )


@pytest.mark.parametrize(
    "name",
    [
        *("heads", "base", "dddd2", "eeee2", "left", "left@head", "other@head", "other@heads"),
        *("left@bbbb2", "right@base", "bbbb1@dddd2", "labe"),
    ],
)
def test_a_common_name_needs_no_alembic(name: str) -> None:
    files = [*FILES, revision_file("ffff1", [], [], ["label"])]
    assert list(resolve(Graph(files), name)) == _ids(alembic_map(files).get_revisions(name))


@pytest.mark.parametrize("rows", [(), ("aaaa1",), ("bbbb2", "cccc1"), ("dddd1",), ("eeee2",)])
@pytest.mark.parametrize("target", ["heads", "dddd2", "left@head", "other@head", "base", "dddd1"])
def test_a_common_upgrade_needs_no_alembic(rows: tuple[str, ...], target: str) -> None:
    theirs = alembic_map(FILES).iterate_revisions(target, rows, implicit_base=True)
    assert upgrade_plan(Graph(FILES), target, rows) == _ids(theirs)


@pytest.mark.parametrize("target", ["head", "heads", "+1", "+2", "id004", "id001+2", "base+5"])
@pytest.mark.parametrize("rows", [(), ("id001",), ("id003",)])
def test_an_upgrade_of_a_line_needs_no_alembic(rows: tuple[str, ...], target: str) -> None:
    theirs = alembic_map(LINE).iterate_revisions(target, rows, implicit_base=True)
    assert upgrade_plan(Graph(LINE), target, rows) == _ids(theirs)


@pytest.mark.parametrize("target", ["base", "-1", "-3", "-4", "id000", "id002", "id003", "head-3"])
def test_a_downgrade_of_a_line_needs_no_alembic(target: str) -> None:
    theirs = alembic_map(LINE).iterate_revisions(("id003",), target, select_for_downgrade=True)
    assert downgrade_plan(Graph(LINE), target, ["id003"]) == _ids(theirs)


@pytest.mark.parametrize("target", ["base", "aaaa1", "left@aaaa1", "dddd1", "other@base"])
def test_a_common_downgrade_needs_no_alembic(target: str) -> None:
    rows = ("dddd2", "eeee2")
    theirs = alembic_map(FILES).iterate_revisions(rows, target, select_for_downgrade=True)
    assert downgrade_plan(Graph(FILES), target, rows) == _ids(theirs)


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        ("head", ()),
        ("nope", ()),
        ("bbbb", ()),
        ("", ()),
        ("+1", ("bbbb2", "cccc1")),
        ("+1", ("aaaa1",)),
        ("-1", ("dddd1",)),
        ("dddd1+5", ()),
        ("left@cccc1", ()),
        ("nope@head", ()),
        ("heads", ("dddd1", "eeee1")),
        ("heads", ("nope",)),
        ("dddd1-1", ()),
    ],
)
def test_what_alembic_refuses_is_left_to_it(target: str, rows: tuple[str, ...]) -> None:
    with pytest.raises(AskAlembic):
        upgrade_plan(Graph(FILES), target, rows)
    with pytest.raises(Exception):  # noqa: B017, PT011 # Alembic has many ways to say no
        list(alembic_map(FILES).iterate_revisions(target, rows, implicit_base=True))

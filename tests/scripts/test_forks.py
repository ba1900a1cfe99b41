"""The drawing of a fork."""

from collections.abc import Mapping
from itertools import pairwise

import pytest

from myapp.migrator.revisions.facts import RevisionFile
from myapp.migrator.revisions.fork import fork
from myapp.migrator.revisions.graph import Graph
from myapp.migrator.revisions.history import History
from myapp.scripts.forks import fork_lines


def lines(follows: Mapping[str, tuple[str, ...]], columns: int = 72) -> list[str]:
    files = (RevisionFile("", id_, down, (), (), f"add {id_}") for id_, down in follows.items())
    history = History(Graph(files), "")
    return list(fork_lines(fork(history, history.heads()), columns))


def chain(letter: str, length: int, start: str) -> dict[str, tuple[str, ...]]:
    ids = [start, *(f"{letter}{number}" for number in range(1, length + 1))]
    return {id_: (before,) for before, id_ in pairwise(ids)}


@pytest.mark.parametrize(("length", "is_whole"), [(5, True), (6, False)])
def test_the_middle_of_a_long_side_is_counted(length: int, is_whole: bool) -> None:
    found = lines({"a": (), **chain("b", length, "a"), "c": ("a",)})
    assert ("| ... 3 more ..." in found) is not is_whole
    assert "| * b1 add b1" in found or "* b1 add b1" in found
    assert any(line.endswith(f"b{length} add b{length}") for line in found)
    assert any("* c add c" in line for line in found)
    assert found[-1] == "* a add a"


def test_histories_with_nothing_in_common_stand_beside_each_other() -> None:
    assert lines({"a": (), "b": ()}) == ["* a add a", "  * b add b"]


def test_a_merge_on_the_way_is_drawn() -> None:
    found = lines({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("a",)})
    assert len([line for line in found if "*" in line]) == 5


def test_many_heads_are_counted() -> None:
    found = lines({"a": (), **{f"b{number}": ("a",) for number in range(10)}})
    assert len([line for line in found if "* b" in line]) == 8
    assert found[-1] == "and 2 more heads"


def test_a_line_is_cut_where_the_drawing_ends() -> None:
    assert max(map(len, lines({"a" * 50: (), "b": ("a" * 50,), "c": ("a" * 50,)}, 30))) == 30

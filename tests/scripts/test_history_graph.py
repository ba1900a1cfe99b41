"""The drawing of a history, read back as a person reads it."""

import json
import random
from collections import defaultdict

import pytest
from support.command import invoke
from support.history import MakeApp, Revision
from support.terminal import run_on_terminal, screen

from myapp.migrator.revisions.drawing import drawn

Edges = dict[str, tuple[str, ...]]


def rows(order: str, follows: Edges, depends: Edges | None = None) -> list[str]:
    return [f"{row} {name or ''}".rstrip() for row, name in drawn(order, follows, depends or {})]


def read(rows: list[tuple[str, str | None]]) -> dict[str, set[str]]:
    """Follow each line downwards, and return where those of each revision lead."""
    found: dict[str, set[str]] = defaultdict(set)
    #: The revisions from which a line comes down in each column.
    lines: dict[int, set[str]] = {}
    last: set[int] = set()
    for row, name in rows:
        if name is not None:
            column = row.index("*") // 2
            for source in lines.pop(column, set()):
                found[source].add(name)
            found[name] |= set()
            above, lines = lines, {column: {name}}
            for index in range(0, len(row), 2):
                if row[index] in "|:":
                    lines[index // 2] = above[index // 2]
            assert set(above) - set(lines) <= last  # it follows nothing
            last = {column}
            continue
        last = set()
        (turn,) = [index for index, mark in enumerate(row) if mark in "/\\"]
        gaps = [index for index, mark in enumerate(row) if mark == "_"]
        left, right = min([*gaps, turn]) // 2, turn // 2 + 1
        assert gaps == list(range(2 * left + 1, turn, 2))
        start, end = (right, left) if row[turn] == "/" else (left, right)
        moved = set(lines[start])
        below = {
            index // 2: set(lines.get(index // 2, set()))
            for index in range(0, len(row), 2)
            if row[index] in "|:"
        }
        below.setdefault(end, set(lines.get(end, set())))
        below[end] |= moved
        assert set(lines) - {start} <= set(below)
        lines = below
    assert not lines or set().union(*lines.values()) <= set(found)
    return dict(found)


def test_a_line_of_revisions_is_one_column() -> None:
    assert rows("cba", {"c": ("b",), "b": ("a",)}) == ["* c", "* b", "* a"]


def test_a_merge_opens_a_column_and_a_branch_point_closes_it() -> None:
    assert rows("dcba", {"d": ("b", "c"), "c": ("a",), "b": ("a",)}) == [
        "* d",
        "|\\",
        "| * c",
        "* | b",
        "|/",
        "* a",
    ]


def test_several_heads_stand_beside_each_other() -> None:
    follows = {"f": ("e",), "e": ("c",), "d": ("c",), "c": ("a",), "b": ("a",)}
    assert rows("fedcba", follows) == [
        "* f",
        "* e",
        "| * d",
        "|/",
        "* c",
        "| * b",
        "|/",
        "* a",
    ]


def test_a_dependency_is_a_dotted_line() -> None:
    assert rows("dcba", {"d": ("c",), "b": ("a",)}, {"d": ("b",)}) == [
        "* d",
        "|\\",
        "* : c",
        "  * b",
        "  * a",
    ]


def test_a_line_to_a_revision_that_is_not_shown_is_left_out() -> None:
    assert rows("cb", {"c": ("b",), "b": ("a",)}) == ["* c", "* b"]


def test_history_draws_it_with_what_is_applied(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(
        sqlite_url,
        [
            Revision("aaa1", message="create users", branch_labels="shop"),
            Revision("bbb1", "aaa1", message="add email"),
            Revision("bbb2", "aaa1", message="add phone"),
            Revision("ccc1", ("bbb1", "bbb2"), message="join"),
            Revision("eee1", message="billing", depends_on="shop"),
        ],
    )
    assert invoke(ini, "upgrade", "bbb1").returncode == 0
    assert invoke(ini, "history", "--graph").stdout.splitlines() == [
        "* pending  ccc1 (shop) (head) (mergepoint), join",
        "|\\",
        "* | current  bbb1 (shop), add email",
        "| | * pending  eee1 (head), billing",
        "|_|/",
        "| * pending  bbb2 (shop), add phone",
        "|/",
        "* applied  aaa1 (shop) (branchpoint), create users",
    ]
    revisions = json.loads(invoke(ini, "history", "--graph", "--json").stdout)["revisions"]
    assert len(revisions) == 5


def test_no_message_breaks_the_lines_at_a_terminal(make_app: MakeApp, sqlite_url: str) -> None:
    long = "a message that is far longer " * 5
    ini = make_app(
        sqlite_url,
        [
            Revision("aaa1"),
            Revision("bbb1", "aaa1", message=long),
            Revision("bbb2", "aaa1", message=long),
        ],
    )
    *shown, _ = screen(run_on_terminal(ini, "history", "--graph"))
    assert [row.partition(" pending")[0] for row in shown] == ["*", "| *", "|/", "*"]
    assert all(len(row) <= 80 for row in shown)
    assert long.strip() in invoke(ini, "history", "--graph").stdout


@pytest.mark.parametrize("seed", range(30))
def test_every_line_leads_from_a_revision_to_what_it_follows(seed: int) -> None:
    """300 revisions with 10 heads or more, merges and dependencies."""
    chance = random.Random(seed)
    count = 300 if seed < 5 else 30
    follows: Edges = {}
    depends: Edges = {}
    names = [f"r{number}" for number in range(count)]
    for number, name in enumerate(names):
        before = names[max(0, number - chance.choice([1, 3, 12])) : number]
        how_many = chance.choices([0, 1, 2, 3], [1, 30, 3, 1])[0]
        follows[name] = tuple(chance.sample(before, min(how_many, len(before))))
        rest = [each for each in names[:number] if each not in follows[name]]
        depends[name] = tuple(
            chance.sample(rest, chance.choices([0, 1], [12, 1])[0] if rest else 0)
        )
    made = list(drawn(reversed(names), follows, depends))
    assert read(made) == {name: {*follows[name], *depends[name]} for name in names}
    assert [name for _, name in made if name] == names[::-1]

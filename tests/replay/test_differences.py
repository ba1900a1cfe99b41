"""The page that a team reads before it switches, and the table of Alembic's own tests."""

import re

import pytest

from replay.differences import DIFFERENCES, PAGE

LINES = re.findall(r"^- \*\*(.+?)\.\*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_test_of_alembic_that_fails_has_a_line_on_the_page(difference: str) -> None:
    assert difference in LINES


def test_no_difference_stands_there_twice() -> None:
    assert len(LINES) == len(set(LINES)) > len(DIFFERENCES)


def test_a_team_finds_the_page() -> None:
    readme = PAGE.parents[1] / "README.md"
    assert f"({PAGE.parent.name}/{PAGE.name})" in readme.read_text(encoding="utf-8")

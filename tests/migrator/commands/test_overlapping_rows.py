"""Rows of which one implies another: a2 follows a1, and both stand in the version table."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import invoke
from support.database import change, heads, tables
from support.history import MakeApp, Revision, add_revision, create_table, foreign_env
from support.processes import write_env

LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
]
THIRD = Revision("ccc333", "bbb222", **create_table("c"))
OTHER = Revision("ddd444", None, depends_on="bbb222", **create_table("d"))
WARNING = (
    "Warning: the version table alembic_version holds aaa111 beside bbb222, which came after."
    " Nothing is missing; `repair` takes out what is too much.\n"
)

Overlapping = Callable[[str], Path]


@pytest.fixture
def overlapping(make_app: MakeApp) -> Overlapping:
    def make(url: str) -> Path:
        ini = make_app(url, LINE)
        assert invoke(ini, "upgrade").returncode == 0
        change(url, "INSERT INTO alembic_version VALUES ('aaa111')")
        return ini

    return make


@pytest.mark.parametrize("is_ours", [True, False])
def test_an_upgrade_goes_on_and_tells_of_the_table_first(
    overlapping: Overlapping, database_url: str, tmp_path: Path, is_ours: bool
) -> None:
    ini = overlapping(database_url)
    if not is_ours:
        write_env(ini, foreign_env())
    result = invoke(ini, "upgrade")
    assert (result.returncode, result.stderr) == (0, WARNING)
    assert result.stdout.startswith("Nothing to do")

    add_revision(tmp_path / "migrations", THIRD)
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith(WARNING)
    assert tables(database_url) == {"a", "b", "c", "alembic_version"}
    assert "ccc333" in heads(database_url)


@pytest.mark.parametrize(
    ("target", "left", "remaining"),
    [("aaa111", {"aaa111"}, {"a"}), ("-1", {"aaa111"}, {"a"}), ("base", set(), set())],
)
def test_a_downgrade_goes_the_way_that_the_revisions_go(
    overlapping: Overlapping,
    database_url: str,
    target: str,
    left: set[str],
    remaining: set[str],
) -> None:
    ini = overlapping(database_url)

    result = invoke(ini, "downgrade", target)

    assert (result.returncode, "Error" in result.stderr) == (0, False), result.stderr
    assert result.stderr.startswith(WARNING)
    assert heads(database_url) == left
    assert tables(database_url) - {"alembic_version"} == remaining


def test_a_downgrade_over_a_gap_leaves_the_row_that_was_too_much(
    overlapping: Overlapping, database_url: str, tmp_path: Path
) -> None:
    ini = overlapping(database_url)
    add_revision(tmp_path / "migrations", THIRD)
    assert invoke(ini, "upgrade").returncode == 0

    for target, left in [("-1", {"aaa111", "bbb222"}), ("-1", {"aaa111"}), ("-1", set())]:
        assert invoke(ini, "downgrade", target).returncode == 0
        assert heads(database_url) == left


def test_a_row_that_another_depends_on_is_implied_too(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(database_url, [*LINE, OTHER])
    assert invoke(ini, "upgrade").returncode == 0
    change(database_url, "INSERT INTO alembic_version VALUES ('bbb222')")

    result = invoke(ini, "downgrade", "ddd444@base")

    assert result.returncode == 0, result.stderr
    assert "holds bbb222 beside ddd444" in result.stderr
    assert heads(database_url) == {"bbb222"}


@pytest.mark.parametrize(
    ("target", "left"), [("bbb222", {"bbb222"}), ("aaa111", {"aaa111"}), ("base", set())]
)
def test_a_stamp_mends_them(
    overlapping: Overlapping, database_url: str, target: str, left: set[str]
) -> None:
    result = invoke(overlapping(database_url), "stamp", target)

    assert result.returncode == 0, result.stderr
    assert heads(database_url) == left


def test_all_heads_are_applied(overlapping: Overlapping, database_url: str) -> None:
    """What a waiting application needs is there; which rows say so is not its concern."""
    ini = overlapping(database_url)

    for command in ("current --check-heads", "wait --timeout 0"):
        result = invoke(ini, *command.split())
        assert (result.returncode, result.stdout) == (0, "bbb222 (head), a change\n"), command


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        ("history -r current:head", ["bbb222"]),
        ("history -r base:current", ["bbb222", "aaa111"]),
        ("downgrade --sql current:aaa111", ["Running downgrade bbb222 -> aaa111"]),
    ],
)
def test_where_the_database_stands_is_the_row_that_counts(
    overlapping: Overlapping, sqlite_url: str, command: str, seen: list[str]
) -> None:
    result = invoke(overlapping(sqlite_url), *command.split())

    assert result.returncode == 0, result.stderr
    assert all(each in result.stdout for each in seen)

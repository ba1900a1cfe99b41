"""What is typed in haste is refused before it means something else."""

from pathlib import Path

import pytest
from support.command import invoke
from support.history import MakeApp, Revision, create_table

REVISIONS = [
    Revision("4b7e21", message="create users", branch_labels="shop", **create_table("users")),
    Revision("c85d3f", "4b7e21", "create orders", **create_table("orders")),
    Revision("c9", "c85d3f", "create items", **create_table("items")),
]


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    ini = make_app(sqlite_url, REVISIONS)
    assert invoke(ini, "upgrade").returncode == 0
    return ini


@pytest.mark.parametrize(
    ("words", "told", "hint"),
    [
        (
            ["downgrade", "4"],
            "`4` is only the beginning of a name: 4b7e21 (create users).",
            "`-4` goes back four steps.",
        ),
        (["downgrade", "1"], "There is no revision `1`.", "`-1` goes back one step."),
        (["downgrade", "12"], "There is no revision `12`.", "`-12` goes back 12 steps."),
        (
            ["upgrade", "4"],
            "`4` is only the beginning of a name: 4b7e21 (create users).",
            "`+4` goes on four steps.",
        ),
        *(
            (
                [*words, name],
                f"`{name}` is only the beginning of a name: {meant}.",
                f"`{words[0]}` takes four characters or more of an id, or all of a shorter one.",
            )
            for words, name, meant in [
                (["downgrade"], "4b7", "4b7e21 (create users)"),
                (["downgrade"], "c", "c85d3f (create orders), c9 (create items)"),
                (["upgrade"], "c8", "c85d3f (create orders)"),
                (["upgrade"], "sho", "4b7e21 (create users)"),
                (["stamp"], "4b", "4b7e21 (create users)"),
                (["merge", "c9"], "4", "4b7e21 (create users)"),
                (["revision", "-m", "more", "--head"], "c8", "c85d3f (create orders)"),
                (["revision", "-m", "more", "--depends-on"], "4b", "4b7e21 (create users)"),
            ]
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_few_characters_are_no_revision_for_what_changes_something(
    ini: Path, words: list[str], told: str, hint: str
) -> None:
    result = invoke(ini, *words)

    assert result.returncode == 2
    assert result.stderr == f"Error: {told}\nHint:  {hint}\n"
    assert invoke(ini, "current").stdout.startswith("c9 ")
    assert len(list((ini.parent / "migrations/versions").glob("*.py"))) == 3


@pytest.mark.parametrize("target", ["4b7e+1", "shop@c85d", "c9-1", "shop@-1", "c85d"])
def test_four_characters_and_a_whole_short_id_are_enough(ini: Path, target: str) -> None:
    assert invoke(ini, "downgrade", target).returncode == 0
    assert invoke(ini, "current").stdout.startswith("c85d3f")


@pytest.mark.parametrize("target", ["4+1", "sho@c85d", "shop@c8", "4b7@-1"])
def test_a_part_of_what_is_typed_has_to_be_long_enough_too(ini: Path, target: str) -> None:
    assert "is only the beginning of" in invoke(ini, "downgrade", target).stderr


def test_a_range_for_sql_needs_whole_names_too(ini: Path) -> None:
    assert "`4b7` is only the beginning" in invoke(ini, "upgrade", "--sql", "4b7:c9").stderr
    assert "`4b7` is only the beginning" in invoke(ini, "downgrade", "--sql", "c9:4b7").stderr


def test_a_command_that_reads_takes_a_few_characters_as_alembic_does(ini: Path) -> None:
    assert invoke(ini, "show", "4").stdout.startswith("Rev: 4b7e21")


@pytest.mark.parametrize(
    ("words", "told", "hint"),
    [
        (["downgrade", "-0"], "`-0` goes nowhere: it asks for no revision.", "`-1` goes back one"),
        (["upgrade", "+0"], "`+0` goes nowhere: it asks for no revision.", "`+1` goes on one"),
        (["downgrade", "shop@-0"], "`shop@-0` goes nowhere: it", "`shop@-1` goes back one step."),
        (["upgrade", "+"], "`+` has no number.", "`+1` goes on one step."),
        (["downgrade", "-"], "`-` has no number.", "`-1` goes back one step."),
        (
            ["upgrade", "head@"],
            "`head@` needs a branch before the `@`, and `head` is none.",
            "write `head` alone, or the label of a branch before the `@`.",
        ),
        (
            ["upgrade", "head@head"],
            "`head@head` needs a branch before the `@`, and `head` is none.",
            "write `head` alone, or the label of a branch before the `@`.",
        ),
        (
            ["upgrade", "shop@"],
            "`shop@` has no revision after the `@`.",
            "write `shop@head`, or `shop` alone.",
        ),
        (
            ["show", "@head"],
            "`@head` has no branch before the `@`.",
            "write `head` alone, or the label of a branch before the `@`.",
        ),
        (
            ["downgrade", "base:head"],
            "`base:head` is a range, and one revision is needed here.",
            "a range is for `history --rev-range`, or `--sql` of `upgrade`, `downgrade`, `stamp`.",
        ),
        (
            ["downgrade", "current"],
            "`current` stands for where the database is, and means nothing here.",
            "`show`, `edit`, `history --rev-range` and `--sql` ranges take it.",
        ),
        (["downgrade", "zero"], "There is no revision `zero`.", "did you mean `base`?"),
        (["downgrade", "0"], "There is no revision `0`.", "did you mean `base`?"),
        (["downgrade", "-1", "-2", "-3"], "Got unexpected extra arguments (-2 -3).", "`myapp"),
        (["upgrade", "latest"], "There is no revision `latest`.", "did you mean `heads`?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_typed_wrong_has_a_true_message(
    ini: Path, words: list[str], told: str, hint: str
) -> None:
    result = invoke(ini, *words)

    assert result.returncode == 2
    assert result.stderr.startswith(f"Error: {told}")
    assert f"\nHint:  {hint}" in result.stderr

"""Where a step may lead to several revisions, each is listed with what leads to it."""

import json
import re
import shlex
from pathlib import Path

import pytest
from support.command import invoke
from support.history import MakeApp, Revision

REVISIONS = [
    Revision("aaaa1", message="a"),
    Revision("bbbb1", "aaaa1", "b1"),
    Revision("bbbb2", "bbbb1", "b2"),
    Revision("cccc1", "aaaa1", "c1"),
    Revision("dddd1", ("bbbb2", "cccc1"), "merge"),
]


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    return make_app(sqlite_url, REVISIONS)


@pytest.mark.parametrize(
    ("at", "words", "listed"),
    [
        (
            ["dddd1"],
            "downgrade -1",
            ["downgrade bbbb2` undoes dddd1 (merge).", "downgrade cccc1` undoes dddd1 (merge)."],
        ),
        (
            ["dddd1"],
            "downgrade -2",
            [
                "downgrade bbbb1` undoes dddd1 (merge), bbbb2 (b2).",
                "downgrade aaaa1` undoes dddd1 (merge), bbbb2 (b2), bbbb1 (b1) and 1 more.",
            ],
        ),
        (
            ["aaaa1"],
            "upgrade +1",
            ["upgrade bbbb1` applies bbbb1 (b1).", "upgrade cccc1` applies cccc1 (c1)."],
        ),
        (
            ["bbbb1", "cccc1"],
            "downgrade -1",
            ["downgrade bbbb1@-1` undoes bbbb1 (b1).", "downgrade cccc1@-1` undoes cccc1 (c1)."],
        ),
        (
            ["bbbb1", "cccc1"],
            "upgrade +1",
            [
                "upgrade bbbb1@+1` applies bbbb2 (b2).",
                "upgrade cccc1@+1` applies bbbb2 (b2), dddd1 (merge).",
            ],
        ),
    ],
)
def test_each_way_is_listed_and_can_be_gone(
    ini: Path, at: list[str], words: str, listed: list[str]
) -> None:
    for target in at:
        assert invoke(ini, "upgrade", target).returncode == 0

    result = invoke(ini, *words.split())

    lines = "".join(f"       `myapp-migrate {ini} {line}\n" for line in listed)
    assert result.returncode in (2, 8)
    assert result.stderr.endswith(f"\nHint:  type what you mean:\n{lines}")
    typed = re.findall(r"^ +`(.*)`", result.stderr, re.MULTILINE)[0]
    assert invoke(*shlex.split(typed)[1:]).returncode == 0


def test_steps_that_no_way_is_long_enough_for_are_too_many(ini: Path) -> None:
    invoke(ini, "upgrade")

    assert invoke(ini, "downgrade", "-9").stderr == (
        "Error: `-9` asks for 9 revisions down, and there are fewer.\n"
        f"Hint:  `myapp-migrate {ini} history` shows how many there are; `heads` and `base` are the"
        " ends.\n"
    )


def test_json_names_the_candidates(ini: Path) -> None:
    invoke(ini, "upgrade")

    error = json.loads(invoke(ini, "downgrade", "-1", "--json").stdout)["error"]
    assert (error["reason"], error["candidates"]) == ("ambiguous", ["bbbb2", "cccc1"])


def test_more_steps_than_there_are_revisions_take_no_longer(ini: Path) -> None:
    assert invoke(ini, "upgrade").returncode == 0
    result = invoke(ini, "downgrade", "-99999999999999999999")
    assert result.returncode == 2
    assert "asks for 99999999999999999999 revisions down, and there are fewer." in result.stderr

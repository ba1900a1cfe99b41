"""One way to take apart what is typed for a revision, or for a range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples

from myapp.migrator.revisions.target import Range, Target


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("", Target(None, "")),
        ("head", Target(None, "head")),
        ("ab12", Target(None, "ab12")),
        ("shop@head", Target("shop", "head")),
        ("shop@", Target("shop", "")),
        ("@head", Target("", "head")),
        ("a@b@c", Target("a@b", "c")),
        ("+2", Target(None, "", "+2")),
        ("-1", Target(None, "", "-1")),
        ("head-1", Target(None, "head", "-1")),
        ("ab12+3", Target(None, "ab12", "+3")),
        ("shop@+1", Target("shop", "", "+1")),
        ("shop@head-2", Target("shop", "head", "-2")),
        ("a@b@+1", Target("a@b", "", "+1")),
        ("-0", Target(None, "", "-0")),
        ("+1x", Target(None, "+1x", None, "x")),
        ("head-", Target(None, "head-")),
        ("a.b+1", Target(None, "a.b+1")),
    ],
)
def test_a_target_is_taken_apart(typed: str, target: Target) -> None:
    assert Target.parse(typed) == target


def test_steps_have_a_count_and_a_start() -> None:
    parsed = Target.parse("shop@ab12-3")
    assert (parsed.count, parsed.start, parsed.is_from_database) == (-3, "shop@ab12", False)
    assert Target.parse("shop@+1").is_from_database
    assert not Target.parse("head").is_from_database


@examples(200)
@given(st.text(alphabet="ab1_.@+-: é", max_size=9))
def test_nothing_that_is_typed_is_lost(typed: str) -> None:
    parsed = Target.parse(typed)
    assert parsed.start + (parsed.steps or "") == typed
    assert typed.endswith(parsed.trailing)


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [
        ("a:b", Range("a", "b")),
        (":b", Range("", "b")),
        ("a:", Range("a", "")),
        (":", Range("", "")),
        ("current:+1", Range("current", "+1")),
        ("a", None),
        ("a:b:c", None),
        ("", None),
    ],
)
def test_a_range_has_one_colon(typed: str, parsed: Range | None) -> None:
    assert Range.parse(typed) == parsed

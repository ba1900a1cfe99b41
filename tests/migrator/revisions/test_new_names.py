"""What a new revision, its branch and its message may be called."""

import pytest

from myapp.migrator.base.errors import UsageError
from myapp.migrator.revisions.facts import RevisionFile
from myapp.migrator.revisions.graph import Graph
from myapp.migrator.revisions.new_names import check_id, check_label, check_message

GRAPH = Graph(
    [
        RevisionFile("/v/a.py", "aaa111bbb", (), (), ("users",), "a"),
        RevisionFile("/v/1.py", "1", ("aaa111bbb",), (), (), "one"),
    ]
)
MAKE_ONE = "leave out `--rev-id` to have one made."
UNSET = "is a variable of the shell unset? Give it a value, or leave out"


@pytest.mark.parametrize(
    ("rev_id", "message", "hint"),
    [
        ("", "The revision's id is empty.", MAKE_ONE),
        ("head", "`head` has a meaning of its own, so it can't be a revision's id.", MAKE_ONE),
        ("heads", "`heads` has a meaning of its own, so it can't be a revision's id.", MAKE_ONE),
        ("base", "`base` has a meaning of its own, so it can't be a revision's id.", MAKE_ONE),
        (
            "current",
            "`current` has a meaning of its own, so it can't be a revision's id.",
            MAKE_ONE,
        ),
        *(
            (
                rev_id,
                f"A revision's id can't have {odd!r} in it, as `{rev_id}` has.",
                f"use letters, digits and `_`, or {MAKE_ONE}",
            )
            for rev_id, odd in [("-a", "-"), ("a@b", "@"), ("a+1", "+"), ("a:b", ":"), ("a b", " ")]
        ),
        (
            "x" * 33,
            f"The revision's id `{'x' * 33}` has 33 characters. The column of the version table"
            " holds 32.",
            f"choose a shorter one, or {MAKE_ONE}",
        ),
        ("aaa111bbb", "There is a revision aaa111bbb already: /v/a.py.", MAKE_ONE),
        ("users", "`users` is the branch label of aaa111bbb already.", MAKE_ONE),
        (
            "aaa1",
            "`aaa1` stands for aaa111bbb already, whose first characters it is.",
            f"choose another one, or {MAKE_ONE}",
        ),
        (
            "user",
            "`user` stands for users already, whose first characters it is.",
            f"choose another one, or {MAKE_ONE}",
        ),
    ],
)
def test_an_id_that_would_break_the_history_is_refused(
    rev_id: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        check_id(GRAPH, rev_id)

    assert (raised.value.message, raised.value.hint) == (message, hint)


@pytest.mark.parametrize("rev_id", ["x" * 32, "aaa", "aaa111bbbc", "10", "v1.0", "ü"])
def test_another_id_is_accepted(rev_id: str) -> None:
    check_id(GRAPH, rev_id)


def test_a_history_with_longer_ids_may_have_another_one() -> None:
    graph = Graph([RevisionFile("/v/a.py", "y" * 40, (), (), (), "a")])

    check_id(graph, "x" * 40)
    with pytest.raises(UsageError, match=r"holds 40\.$"):
        check_id(graph, "x" * 41)


@pytest.mark.parametrize(
    ("label", "message", "hint"),
    [
        ("", "The branch label is empty.", f"{UNSET} `--branch-label`."),
        (
            "head",
            "`head` has a meaning of its own, so it can't be a branch label.",
            "choose another label.",
        ),
        (
            "current",
            "`current` has a meaning of its own, so it can't be a branch label.",
            "choose another label.",
        ),
        *(
            (
                label,
                f"A branch label can't have {where}, as `{label}` has.",
                "use letters, digits, `_` and, between words, `-`.",
            )
            for label, where in [
                ("a@b", "'@' in it"),
                ("a:b", "':' in it"),
                ("a+b", "'+' in it"),
                ("a b", "' ' in it"),
                ("-a", "'-' in front"),
                ("a-2", "'-' before a digit"),
            ]
        ),
        ("users", "The branch label `users` is used by aaa111bbb.", "choose another label."),
        (
            "aaa111bbb",
            "`aaa111bbb` is the id of a revision, so it can't be a label.",
            "choose another label.",
        ),
        ("new", "`new` is the id of a revision, so it can't be a label.", "choose another label."),
    ],
)
def test_a_label_that_would_break_the_history_is_refused(
    label: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        check_label(GRAPH, label, "new")

    assert (raised.value.message, raised.value.hint) == (message, hint)


@pytest.mark.parametrize("label", ["posts", "two-words", "v2", "a_b"])
def test_another_label_is_accepted(label: str) -> None:
    check_label(GRAPH, label, "new")


@pytest.mark.parametrize(
    ("message", "error", "hint"),
    [
        ("", "The message is empty.", f"{UNSET} `-m`."),
        (" \n", "The message is empty.", f"{UNSET} `-m`."),
        (
            "caf\udce9",
            "The message can't be written to a file: it has '\\udce9' in it.",
            "take that character out.",
        ),
        (
            "a\0b",
            "The message can't be written to a file: it has '\\x00' in it.",
            "take that character out.",
        ),
    ],
)
def test_a_message_that_no_file_can_hold_is_refused(message: str, error: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_message(message)

    assert (raised.value.message, raised.value.hint) == (error, hint)

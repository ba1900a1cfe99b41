"""How several heads have come apart."""

import pytest

from myapp.migrator.revisions.facts import RevisionFile
from myapp.migrator.revisions.fork import fork
from myapp.migrator.revisions.graph import Graph
from myapp.migrator.revisions.history import History


def history(**follows: str) -> History:
    """Return a history of revisions of one letter, each with those that it follows."""
    files = (RevisionFile("", id_, tuple(down), (), (), "") for id_, down in follows.items())
    return History(Graph(files), "")


@pytest.mark.parametrize(
    ("follows", "heads", "ancestor", "sides"),
    [
        ({"a": "", "b": "a", "c": "a"}, "bc", "a", {"b": "b", "c": "c"}),
        ({"a": "", "b": "a", "c": "b", "d": "b"}, "cd", "b", {"c": "c", "d": "d"}),
        # The ancestor of all three is older than that of two of them.
        (
            {"a": "", "b": "a", "c": "b", "d": "b", "e": "a"},
            "cde",
            "a",
            {"c": "cb", "d": "db", "e": "e"},
        ),
        # One side was joined on its way.
        (
            {"a": "", "b": "a", "c": "a", "d": "bc", "e": "a"},
            "de",
            "a",
            {"d": "dbc", "e": "e"},
        ),
        ({"a": "", "b": ""}, "ab", None, {"a": "a", "b": "b"}),
        # Two heads of a database, of which one follows the other.
        ({"a": "", "b": "a"}, "ab", "a", {"a": "", "b": "b"}),
    ],
)
def test_the_newest_revision_that_all_follow_is_the_ancestor(
    follows: dict[str, str], heads: str, ancestor: str | None, sides: dict[str, str]
) -> None:
    found = fork(history(**follows), heads)

    assert found.ancestor == ancestor
    assert {head: set(ids) for head, ids in found.sides} == {
        head: set(ids) for head, ids in sides.items()
    }
    assert all(ids[:1] in ((head,), ()) for head, ids in found.sides)

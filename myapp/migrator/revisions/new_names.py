"""What a new revision, its branch and its message may be called."""

import re

from ..base.errors import UsageError
from .graph import RESERVED, Graph

#: How many characters Alembic makes the version column wide.
_WIDTH = 32
#: Shorter ones are no abbreviation of a longer name.
_SHORTEST_PREFIX = 4
_RESERVED = RESERVED | {"current"}
_NOT_IN_ID = re.compile(r"[^\w.]")
# `-2` at the end of a label would be two steps back.
_NOT_IN_LABEL = re.compile(r"[^\w.-]|^-|-(?=\d)")


def check_id(graph: Graph, rev_id: str, *, typed: bool = True) -> None:
    """Raise UsageError where `rev_id` can't be the id of a new revision of `graph`.

    If it was not `typed`, env.py has set it.
    """
    if why := _why_no_id(graph, rev_id):
        message, advice = why
        instead = (
            "leave out `--rev-id` to have one made."
            if typed
            else "have `process_revision_directives`, in env.py, set another one."
        )
        raise UsageError(message, hint=f"{advice}, or {instead}" if advice else instead)


def _why_no_id(graph: Graph, rev_id: str) -> tuple[str, str] | None:
    """Return what is wrong with an id, and what to do about it if that is clear."""
    if not rev_id:
        return "The revision's id is empty.", ""
    if rev_id in _RESERVED:
        return f"`{rev_id}` has a meaning of its own, so it can't be a revision's id.", ""
    if odd := _NOT_IN_ID.search(rev_id):
        message = f"A revision's id can't have {odd[0]!r} in it, as `{rev_id}` has."
        return message, "use letters, digits and `_`"
    # A history that has longer ids already has a wider column.
    limit = max([_WIDTH, *map(len, graph.files)])
    if len(rev_id) > limit:
        message = (
            f"The revision's id `{rev_id}` has {len(rev_id)} characters. The column of the version"
            f" table holds {limit}."
        )
        return message, "choose a shorter one"
    if rev_id in graph.files:
        return f"There is a revision {rev_id} already: {graph.files[rev_id].path}.", ""
    if owner := graph.labelled.get(rev_id):
        return f"`{rev_id}` is the branch label of {owner} already.", ""
    names = [*graph.files, *graph.labelled]
    meant = [name for name in names if len(rev_id) >= _SHORTEST_PREFIX and name.startswith(rev_id)]
    if meant:
        message = f"`{rev_id}` stands for {meant[0]} already, whose first characters it is."
        return message, "choose another one"
    return None


def check_label(graph: Graph, label: str, rev_id: str | None = None) -> None:
    """Raise UsageError where `label` can't be the branch label of a new revision, `rev_id`."""
    hint = "choose another label."
    if not label:
        raise UsageError("The branch label is empty.", hint=_unset("--branch-label"))
    if label in _RESERVED:
        raise UsageError(
            f"`{label}` has a meaning of its own, so it can't be a branch label.", hint=hint
        )
    if odd := _NOT_IN_LABEL.search(label):
        where = "in it" if odd[0] != "-" else "before a digit" if odd.start() else "in front"
        raise UsageError(
            f"A branch label can't have {odd[0]!r} {where}, as `{label}` has.",
            hint="use letters, digits, `_` and, between words, `-`.",
        )
    if owner := graph.labelled.get(label):
        raise UsageError(f"The branch label `{label}` is used by {owner}.", hint=hint)
    if label in graph.files or label == rev_id:
        raise UsageError(f"`{label}` is the id of a revision, so it can't be a label.", hint=hint)


def check_message(message: str) -> None:
    """Raise UsageError where `message` can't stand in a file."""
    if not message.strip():
        raise UsageError("The message is empty.", hint=_unset("-m"))
    try:
        bad = "\0" if "\0" in message.encode().decode() else ""
    except UnicodeEncodeError as error:
        bad = message[error.start]
    if bad:
        raise UsageError(
            f"The message can't be written to a file: it has {bad!r} in it.",
            hint="take that character out.",
        )


def _unset(option: str) -> str:
    return f"is a variable of the shell unset? Give it a value, or leave out `{option}`."

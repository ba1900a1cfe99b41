"""What is typed in haste, and would mean something else, or nothing."""

from ..base.errors import BadRevision, UsageError
from ..revisions.graph import RESERVED
from ..revisions.history import History
from ..revisions.target import Target

#: How many characters of an id or label a command needs that changes something.
_ENOUGH = 4
#: How many revisions an error names.
_SHOWN = 5
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: What other tools call the two ends, or what a person does.
_ENDS = {
    **dict.fromkeys(("0", "zero", "none", "start", "first", "empty", "initial"), "base"),
    **dict.fromkeys(("latest", "last", "newest", "all", "tip", "top", "end", "max"), "heads"),
}


def meant_end(name: str) -> str | None:
    """Return `base` or `heads` where `name` is another word for it."""
    return _ENDS.get(name.lower())


def require_well_formed(target: str, parsed: Target) -> None:
    """Raise UsageError where a part of `target` is missing, or stands in the wrong place."""
    if parsed.branch in RESERVED:
        raise UsageError(
            f"`{target}` needs a branch before the `@`, and `{parsed.branch}` is none.",
            hint=f"write `{parsed.branch}` alone, or the label of a branch before the `@`.",
        )
    if parsed.branch == "" and parsed.name:
        raise UsageError(
            f"`{target}` has no branch before the `@`.",
            hint=f"write `{parsed.name}` alone, or the label of a branch before the `@`.",
        )
    if parsed.branch and not parsed.name and not parsed.steps:
        raise UsageError(
            f"`{target}` has no revision after the `@`.",
            hint=f"write `{target}head`, or `{parsed.branch}` alone.",
        )
    if parsed.steps is None and target and not target.strip("+-"):
        raise UsageError(
            f"`{target}` has no number.", hint=f"`{target[0]}1` goes {_ways(target[0], 1)}."
        )
    if parsed.is_from_database and not parsed.count:
        one = f"{target.rpartition('@')[0]}@" if parsed.branch else ""
        sign = str(parsed.steps)[0]
        raise UsageError(
            f"`{target}` goes nowhere: it asks for no revision.",
            hint=f"`{one}{sign}1` goes {_ways(sign, 1)}.",
        )


def require_typed_out(history: History, target: str, command: str) -> None:
    """Raise BadRevision where fewer than four characters of `target` stand for an id or a label.

    Alembic takes a single one. `downgrade 4` could then go back to any revision, and drop data.
    """
    parsed = Target.parse(target)
    for name in filter(None, (parsed.branch, parsed.name)):
        if len(name) >= _ENOUGH or name in RESERVED:
            continue
        if name in history.graph.files or name in history.graph.labelled:
            continue
        names = [*history.graph.files, *history.graph.labelled]
        owners = sorted({history.graph.labelled.get(n, n) for n in names if n.startswith(name)})
        steps = _steps(name, command)
        if owners:
            more = f" and {len(owners) - _SHOWN} more" if len(owners) > _SHOWN else ""
            raise BadRevision(
                f"`{name}` is only the beginning of a name:"
                f" {history.titles(owners[:_SHOWN])}{more}.",
                reason="too_short",
                hint=steps
                or f"`{command}` takes four characters or more of an id, or all of a shorter one.",
                candidates=owners,
            )
        if steps:
            raise BadRevision(f"There is no revision `{name}`.", reason="unknown", hint=steps)


def _steps(name: str, command: str) -> str | None:
    """Return how to go as many revisions as `name` says, None where it is no number of them."""
    sign = {"downgrade": "-", "upgrade": "+"}.get(command)
    if not sign or not name.isascii() or not name.isdecimal() or not int(name):
        return None
    return f"`{sign}{int(name)}` goes {_ways(sign, int(name))}."


def _ways(sign: str, count: int) -> str:
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    step = f"{number} step{'' if count == 1 else 's'}"
    return f"back {step}" if sign == "-" else f"on {step}"

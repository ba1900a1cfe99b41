"""What a revision typed by a person means, and what to say when it means nothing."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import TypeVar

from alembic.script.revision import MultipleHeads as AlembicMultipleHeads
from alembic.script.revision import RangeNotAncestorError, RevisionError
from alembic.util.exc import CommandError

from .errors import MigrateError, MultipleHeads, RevisionNotFound
from .history import History, describe
from .results import Revision

T = TypeVar("T")

_SYMBOLS = {"head", "heads", "base", "current", ""}
_RELATIVE = re.compile(r"(?P<symbol>.*?)(?P<steps>[+-]\d+)$")


def find(history: History, target: str, command: str) -> tuple[Revision, ...]:
    """Return the revisions that `target` names; `base` gives none.

    Raises RevisionNotFound or MultipleHeads.
    """
    found = resolve(history, target, command, lambda: history.script.get_revisions(target))
    return tuple(describe(script) for script in found if script is not None)


def resolve(history: History, target: str, command: str, ask: Callable[[], T]) -> T:
    """Call `ask`, and tell in this package's errors why Alembic can't resolve `target`.

    Raises RevisionNotFound or MultipleHeads.
    """
    check_known(history, target)
    try:
        return ask()
    except AlembicMultipleHeads as error:
        raise several_heads(history, tuple(error.heads), command) from None
    except RangeNotAncestorError:
        raise RevisionNotFound(
            f"`{target}` can't be reached: it is no ancestor or descendant on the same branch.",
            hint="`{cmd} history` shows how the revisions follow each other.",
        ) from None
    # Alembic asserts, where a branch named in a relative target isn't in the database.
    except (RevisionError, CommandError, AssertionError) as error:
        if isinstance(error.__cause__, AlembicMultipleHeads):
            raise several_heads(history, tuple(error.__cause__.heads), command) from None
        raise _unresolved(history, target, error) from None


def check_known(history: History, target: str) -> None:
    """Raise RevisionNotFound when a name in `target` is unknown or ambiguous."""
    for part in target.split(":"):
        name = match["symbol"] if (match := _RELATIVE.match(part)) else part
        branch, _, symbol = name.rpartition("@")
        ids = history.ids()
        labels = {
            label for script in history.script.walk_revisions() for label in script.branch_labels
        }
        for wanted in (branch, symbol):
            if wanted not in _SYMBOLS | labels and part not in ids:
                _check_id(history, wanted, ids, labels)


def several_heads(history: History, heads: tuple[str, ...], command: str) -> MigrateError:
    """Return the error of `command`, which needs one head where there are several."""
    return MultipleHeads(
        f"{len(heads)} heads: {history.titles(heads)}. `{command}` can't choose one.",
        hint='join them with `{cmd} merge heads -m "join"`, or name one.',
        heads=list(heads),
    )


def _check_id(history: History, wanted: str, ids: list[str], labels: set[str]) -> None:
    if wanted in ids:
        return
    candidates = [revision for revision in ids if revision.startswith(wanted)]
    if len(candidates) > 1:
        shown = ", ".join(history.get(revision).title for revision in candidates[:5])
        more = f" and {len(candidates) - 5} more" if len(candidates) > 5 else ""
        raise RevisionNotFound(
            f"`{wanted}` could be any of {len(candidates)} revisions: {shown}{more}.",
            hint="type more of the revision's id.",
            candidates=candidates,
        )
    if len(candidates) == 1:
        if len(wanted) < 4:
            raise RevisionNotFound(
                f"`{wanted}` is too short: Alembic wants four characters of a revision's id.",
                hint=f"type `{candidates[0][:8]}`.",
            )
        return
    raise _unknown(history, wanted, [*ids, *labels, *_SYMBOLS])


def _unknown(history: History, wanted: str, known: list[str]) -> RevisionNotFound:
    near = get_close_matches(wanted, known, 1, 0.5)
    if not near:
        near = [
            revision.revision
            for revision in history.all()
            if wanted.lower() in revision.message.lower()
        ][:1]
    is_id = bool(near) and near[0] in history.ids()
    meant = f"is `{near[0]}`{_message(history, near[0]) if is_id else ''} meant?" if near else None
    return RevisionNotFound(
        f"There is no revision `{wanted}`.",
        hint=meant or "`{cmd} history` lists the revisions.",
        nearest=near[0] if near else None,
    )


def _message(history: History, revision: str) -> str:
    message = history.get(revision).message
    return f" ({message})" if message else ""


def _unresolved(history: History, target: str, error: BaseException) -> RevisionNotFound:
    relative = _RELATIVE.match(target)
    if relative and not relative["symbol"]:
        steps = int(relative["steps"])
        return RevisionNotFound(
            f"`{target}` asks for {abs(steps)} revision{'s' if abs(steps) > 1 else ''}"
            f" {'up' if steps > 0 else 'down'}, and there are fewer.",
            hint="`{cmd} history` shows how many there are; `heads` and `base` are the ends.",
        )
    return RevisionNotFound(
        f"`{target}` can't be resolved: {error}.",
        hint="`{cmd} history` lists the revisions.",
    )

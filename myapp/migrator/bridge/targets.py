"""Resolve a revision that a person has typed, and explain it if that fails."""

from collections.abc import Callable
from typing import Any, TypeVar

from alembic.script.revision import MultipleHeads as AlembicMultipleHeads
from alembic.script.revision import RangeNotAncestorError, RevisionError
from alembic.util.exc import CommandError

from ..base.ask_alembic import AskAlembic
from ..base.errors import BadRevision, MigrateError, MultipleHeads, UsageError
from ..base.results import Revision
from ..base.spelling import nearest
from ..revisions.fork import fork
from ..revisions.graph import RESERVED
from ..revisions.target import Range, Target
from .loading import ScriptHistory
from .slips import meant_end, require_well_formed

T = TypeVar("T")


def find(history: ScriptHistory, target: str, command: str) -> tuple[Revision, ...]:
    """Return the revisions that `target` names; `base` gives none.

    Raises BadRevision or MultipleHeads.
    """
    try:
        return history.find(target)
    except AskAlembic:
        check_known(history, target)
    found = resolve(history, target, command, lambda: history.script.get_revisions(target))
    return tuple(history.get(script.revision) for script in found if script is not None)


def resolve(history: ScriptHistory, target: str, command: str, ask: Callable[[], T]) -> T:
    """Call `ask`, and turn Alembic's errors about `target` into errors of this package.

    Raises BadRevision or MultipleHeads.
    """
    try:
        return ask()
    # Alembic raises AssertionError when the branch in a relative target isn't in the database.
    except (RevisionError, CommandError, AssertionError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, AlembicMultipleHeads):
            raise several_heads(history, tuple(cause.heads), command) from None
        if isinstance(cause, RangeNotAncestorError):
            raise _not_reached(history, target, cause) from None
        raise _unresolved(target, cause) from None


def _not_reached(history: ScriptHistory, target: str, error: RangeNotAncestorError) -> MigrateError:
    typed = Range.parse(target)
    if typed and _is_range(history, error.upper, error.lower):
        return UsageError(
            f"`{target}` is the wrong way round: a range goes from the older revision to the"
            " newer.",
            hint=f"write `{typed.end}:{typed.start}`.",
        )
    return BadRevision(
        f"`{target}` can't be reached: it is neither an ancestor nor a descendant on the same"
        " branch.",
        reason="out_of_reach",
        hint="`{cmd} history` shows how the revisions follow each other.",
    )


def _is_range(history: ScriptHistory, base: Any, head: Any) -> bool:
    try:
        return any(history.script.walk_revisions(base or "base", head or "heads"))
    except (RevisionError, CommandError):
        return False


def check_known(history: ScriptHistory, target: str) -> None:
    """Raise BadRevision when a name in `target` is unknown or ambiguous.

    Alembic by itself takes `nope@base` for `base`, whatever the branch.
    """
    if ":" in target:
        raise UsageError(
            f"`{target}` is a range, and one revision is needed here.",
            hint="a range is for `history --rev-range`, or `--sql` of `upgrade`, `downgrade`,"
            " `stamp`.",
        )
    parsed = Target.parse(target)
    require_well_formed(target, parsed)
    if parsed.branch is not None:
        _check_name(history, parsed.branch)
    if parsed.name not in RESERVED and not parsed.is_from_database:
        _check_name(history, parsed.start)


def several_heads(
    history: ScriptHistory, heads: tuple[str, ...], command: str, *, hint: str | None = None
) -> MigrateError:
    """Return the error of `command`, which needs one head where there are several."""
    return MultipleHeads(
        f"{len(heads)} heads: {history.titles(heads)}. `{command}` can't choose one.",
        hint=hint or _how_to_choose(history, heads, "--head" if command == "revision" else ""),
        heads=list(heads),
        fork=fork(history, heads),
    )


def _how_to_choose(history: ScriptHistory, heads: tuple[str, ...], option: str) -> str:
    name_one = f"name one{f' with `{option}`' if option else ''}."
    if not all(history.get(head).is_head for head in heads):
        return name_one
    # For `merge`, a head that another revision depends on doesn't count among `heads`.
    independent = set(history.graph.effective_heads)
    named = "heads" if set(heads) == independent else " ".join(heads)
    return f'join them with `{{cmd}} merge {named} -m "join"`, or {name_one}'


def _check_name(history: ScriptHistory, name: str) -> None:
    if not name:
        raise BadRevision(
            "The revision is empty.",
            reason="empty",
            hint="is a variable of the shell unset? Name a revision.",
        )
    try:
        history.find(name)
    except AskAlembic:
        try:
            history.script.revision_map.get_revision(name)
        except RevisionError:
            raise _unknown(history, name) from None


def _unknown(history: ScriptHistory, name: str) -> BadRevision:
    branch, _, wanted = name.rpartition("@")
    ids = history.ids
    labels = history.graph.labelled
    # Alembic accepts the first characters of an id or label that has four or more.
    matches = [each for each in (*ids, *labels) if len(each) > 3 and each.startswith(wanted)]
    try:
        candidates = list(history.script.revision_map.filter_for_lineage(matches, branch or None))
    except RevisionError:
        candidates = []  # the branch doesn't exist either
    if len(candidates) > 1:
        owners = history.graph.labelled
        shown = history.titles(owners.get(each, each) for each in candidates[:5])
        more = f" and {len(candidates) - 5} more" if len(candidates) > 5 else ""
        return BadRevision(
            f"`{wanted}` could be any of {len(candidates)} revisions: {shown}{more}.",
            reason="ambiguous",
            hint="type more of the revision's id.",
            candidates=candidates,
        )
    if branch and (wanted in ids or matches):
        return BadRevision(
            f"There is no revision `{wanted}` on the branch `{branch}`.",
            reason="unknown",
            hint="`{cmd} history` shows how the revisions follow each other.",
        )
    if wanted == "current":
        raise UsageError(
            "`current` stands for where the database is, and means nothing here.",
            hint="`show`, `edit`, `history --rev-range` and `--sql` ranges take it.",
        )
    near = (
        meant_end(wanted)
        or nearest(wanted, [*ids, *labels, *RESERVED], 0.5)
        or next(
            (
                revision.revision
                for revision in history.all()
                if wanted.lower() in revision.message.lower()
            ),
            None,
        )
    )
    meant = history.get(near).message if near in ids else ""
    return BadRevision(
        f"There is no revision `{wanted}`.",
        reason="unknown",
        hint=f"did you mean `{near}`{f' ({meant})' if meant else ''}?"
        if near
        else "`{cmd} history` lists the revisions.",
        nearest=near,
    )


def _unresolved(target: str, error: BaseException) -> BadRevision:
    parsed = Target.parse(target)
    if parsed.steps is None:
        return BadRevision(
            f"`{target}` can't be resolved: {error}.",
            reason="unknown",
            hint="`{cmd} history` lists the revisions.",
        )
    branch = parsed.branch if not parsed.name else None
    if isinstance(error, AssertionError) and branch:
        return BadRevision(
            f"`{target}` needs the database to stand at one revision of `{branch}`.",
            reason="not_applied",
            hint="`{cmd} current` shows where it stands.",
        )
    if "mbiguous" in str(error):
        return BadRevision(
            f"`{target}` could be several revisions: the history branches on the way.",
            reason="ambiguous",
            hint="name the revision; `{cmd} history` lists them.",
        )
    return out_of_reach(target)


def out_of_reach(target: str) -> BadRevision:
    """Return the error of steps that go further than the history."""
    parsed = Target.parse(target)
    start, branch = parsed.start, parsed.branch if not parsed.name else None
    origin = f" on `{branch}`" if branch else f" from `{start}`" if start else ""
    count = abs(parsed.count)
    return BadRevision(
        f"`{target}` asks for {count} revision{'' if count == 1 else 's'}"
        f" {'down' if parsed.count < 0 else 'up'}{origin}, and there are fewer.",
        reason="out_of_reach",
        hint="`{cmd} history` shows how many there are; `heads` and `base` are the ends.",
    )

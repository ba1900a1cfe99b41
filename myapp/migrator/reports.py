"""What the reading commands tell: current, heads, history, branches, show."""

from collections.abc import Sequence

from alembic.config import Config

from .database import database_name, read_each, read_heads, union
from .errors import MigrateError, PendingMigrations, RevisionNotFound, UsageError
from .history import History, describe, load_history, standing
from .results import Branch, HistoryReport, MarkedRevision, Revision, Standing, State
from .targets import check_known, find, resolve

_PATIENCE = 3  # seconds


def current(config: Config, *, check_heads: bool = False) -> Standing:
    """Return where the database stands, creating nothing.

    Raises PendingMigrations when `check_heads` is set and a revision has not been applied,
    DatabaseAhead when the database stands at a revision that the code lacks.
    """
    history = load_history(config)
    each = read_each(config, history.script)
    heads = union(each)
    history.require_known(heads)
    pending = tuple(history.pending(each))
    if check_heads and pending:
        raise pending_error(history, heads, pending)
    revisions = tuple(history.get(revision) for revision in history.current(heads))
    return Standing(database_name(config), heads, revisions, pending)


def pending_error(
    history: History, heads: Sequence[str], pending: Sequence[str]
) -> PendingMigrations:
    """Return the error of a command that needs a database at the code's heads."""
    count = f"{len(pending)} revision{'s' if len(pending) > 1 else ''}"
    return PendingMigrations(
        f"{count} pending: the database stands at {standing(history, heads)}.",
        hint="apply them with `{cmd} upgrade`.",
        heads=list(heads),
        pending=list(pending),
    )


def heads(config: Config, *, resolve_dependencies: bool = False) -> tuple[Revision, ...]:
    """Return the revisions that no other follows.

    With `resolve_dependencies`, those that another depends on are left out.
    """
    script = load_history(config).script
    found = script.get_heads(consider_depends_on=resolve_dependencies)
    return tuple(describe(script.get_revision(revision)) for revision in found)


def branches(config: Config) -> tuple[Branch, ...]:
    """Return the revisions at which the history branches, the newest first."""
    history = load_history(config)
    return tuple(
        Branch(revision, tuple(history.get(name) for name in revision.next_revisions))
        for revision in history.all()
        if revision.is_branch_point
    )


def show(config: Config, target: str, *, command: str = "show") -> tuple[Revision, ...]:
    """Return the revisions that `target` names, one at least; `current` asks the database.

    Raises RevisionNotFound when it names none.
    """
    history = load_history(config)
    if target == "current":
        heads = read_heads(config, history.script)
        history.require_known(heads)
        found = tuple(history.get(revision) for revision in heads)
    else:
        found = find(history, target, f"{command} {target}")
    if not found:
        why = ": the database is at base" if target == "current" else ""
        raise RevisionNotFound(
            f"`{target}` names no revision{why}.", hint="`{cmd} history` lists the revisions."
        )
    return found


def history(
    config: Config, rev_range: str | None = None, *, require_database: bool = False
) -> HistoryReport:
    """Return the revisions of `rev_range`, `[start]:[end]`, each with its state in the database.

    When the database can't be asked, the revisions come without a state, unless
    `require_database` is set or the range names `current`: then the database's error is raised.
    """
    known = load_history(config)
    base, head = _range(rev_range)
    for end in (base, head):
        if end not in ("", "current"):
            check_known(known, end)
    needs_database = require_database or "current" in (base, head)
    unmarked = None
    heads: tuple[str, ...] = ()
    try:
        # Where the database is only asked for the marks, a dead one must not hold the answer up.
        heads = read_heads(config, known.script, patience=None if needs_database else _PATIENCE)
        known.require_known(heads)
    except MigrateError as error:
        if needs_database:
            raise
        unmarked = error.message
    walk = resolve(
        known,
        rev_range or "",
        "history",
        lambda: list(
            known.script.walk_revisions(
                base=_end(base, heads) or "base", head=_end(head, heads) or "heads"
            )
        ),
    )
    states = {} if unmarked else _states(known, heads)
    revisions = tuple(MarkedRevision(describe(s), states.get(s.revision)) for s in walk)
    return HistoryReport(revisions, unmarked)


def _range(rev_range: str | None) -> tuple[str, str]:
    if rev_range is None:
        return "", ""
    base, colon, head = rev_range.strip().partition(":")
    if not colon or ":" in head:
        raise UsageError(
            f"`{rev_range}` is not a range of revisions.",
            hint="write `[start]:[end]`, such as `-r base:current`, `-r ab12:` or `-r :head`.",
        )
    return base, head


def _end(symbol: str, heads: tuple[str, ...]) -> str:
    """Return one end of a range, with `current` as the database has it."""
    if symbol != "current":
        return symbol
    # Alembic takes several revisions here; its annotation says one.
    return heads or "base"  # type: ignore[return-value]


def _states(history: History, heads: tuple[str, ...]) -> dict[str, State]:
    states: dict[str, State] = dict.fromkeys(history.ids, "pending")
    states |= dict.fromkeys(history.applied(heads), "applied")
    states |= dict.fromkeys(history.current(heads), "current")
    return states

"""What the reading commands tell, once the history and the database's heads are known."""

from collections.abc import Iterable, Sequence

from ..base.errors import BadRevision, PendingMigrations
from ..base.results import (
    Branch,
    HistoryReport,
    MarkedRevision,
    Revision,
    Standing,
    State,
    Status,
    VersionTable,
)
from .history import History, standing


def status(history: History, tables: Sequence[VersionTable]) -> Status:
    """Return where the databases of `tables` stand."""
    rows = union(tables)
    unknown = tuple(history.unknown(rows))
    current = () if unknown else history.current(rows)
    pending = history.pending([table.rows for table in tables])
    return Status(rows, tuple(current), tuple(pending), unknown)


def current(
    history: History,
    database: str,
    tables: Sequence[VersionTable],
    *,
    check_heads: bool = False,
) -> Standing:
    """Return where `database` stands, which is all the databases of `tables`.

    Raises PendingMigrations when `check_heads` is set and a revision has not been applied,
    DatabaseAhead when a database stands at a revision that the code lacks.
    """
    history.require_known(union(tables))
    found = status(history, tables)
    if check_heads and found.pending:
        raise _pending_error(history, found.rows, found.pending)
    return Standing(database, found.rows, tuple(map(history.get, found.current)), found.pending)


def union(tables: Iterable[VersionTable]) -> tuple[str, ...]:
    """Return the rows of several version tables as if they were one's."""
    return tuple(dict.fromkeys(row for table in tables for row in table.rows))


def heads(history: History, *, resolve_dependencies: bool = False) -> tuple[Revision, ...]:
    """Return the revisions that no other follows.

    With `resolve_dependencies`, those that another depends on are left out.
    """
    graph = history.graph
    return tuple(map(history.get, graph.effective_heads if resolve_dependencies else graph.heads))


def branches(history: History) -> tuple[Branch, ...]:
    """Return the revisions at which the history branches, the newest first."""
    return tuple(
        Branch(revision, tuple(map(history.get, revision.next_revisions)))
        for revision in history.all()
        if revision.is_branch_point
    )


def found(target: str, revisions: tuple[Revision, ...]) -> tuple[Revision, ...]:
    """Return the `revisions` that `target` names.

    Raises BadRevision when they are none.
    """
    if not revisions:
        why = ": the database is at base" if target == "current" else ""
        raise BadRevision(
            f"`{target}` names no revision{why}.",
            reason="empty",
            hint="`{cmd} history` lists the revisions.",
        )
    return revisions


def marked(
    history: History, ids: Iterable[str], heads: Sequence[str], unmarked: str | None = None
) -> HistoryReport:
    """Return the revisions `ids`, each with its state in a database at `heads`.

    `unmarked` says why none has a state.
    """
    states: dict[str, State] = {}
    if not unmarked:
        states |= dict.fromkeys(history.ids, "pending")
        states |= dict.fromkeys(history.applied(heads), "applied")
        states |= dict.fromkeys(history.current(heads), "current")
    revisions = tuple(MarkedRevision(history.get(id_), states.get(id_)) for id_ in ids)
    return HistoryReport(revisions, unmarked)


def _pending_error(
    history: History, heads: Sequence[str], pending: Sequence[str]
) -> PendingMigrations:
    count = f"{len(pending)} revision{'s' if len(pending) > 1 else ''}"
    return PendingMigrations(
        f"{count} pending: the database stands at {standing(history, heads)}.",
        hint="apply them with `{cmd} upgrade`.",
        heads=list(heads),
        pending=list(pending),
    )

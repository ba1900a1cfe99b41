"""What the reading commands tell, once the history and the version tables are known."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..base.errors import (
    BadRevision,
    DatabaseAhead,
    EnvPyFailed,
    MigrateError,
    MultipleHeads,
    PendingMigrations,
)
from ..base.results import (
    Branch,
    CurrentRevisions,
    HistoryReport,
    MarkedRevision,
    Revision,
    State,
    Status,
    VersionTable,
    name_of,
    union,
)
from .history import History, standing

#: What is said where env.py calls `context.run_migrations()` for no database.
NO_DATABASE = "env.py named no database."
#: How many databases an error names, those that are furthest behind first.
_LISTED = 20


def status(history: History, table: VersionTable) -> Status:
    """Return where the database of `table` stands."""
    rows = table.rows
    unknown = tuple(history.unknown(rows))
    current = () if unknown else tuple(history.current(rows))
    pending = () if unknown else tuple(history.pending([rows]))
    return Status(table, current, pending, unknown, standing(history, rows))


def statuses(history: History, tables: Iterable[VersionTable]) -> tuple[Status, ...]:
    """Return where each database stands."""
    return tuple(status(history, table) for table in tables)


def current(
    history: History,
    tables: Sequence[VersionTable],
    *,
    check_heads: bool = False,
    allow_ahead: bool = False,
) -> CurrentRevisions:
    """Return where each database stands.

    Raises PendingMigrations when `check_heads` is set and one has not been through all revisions,
    DatabaseAhead when one stands at a revision that the code lacks, unless `allow_ahead` is set.
    """
    found = statuses(history, tables)
    if not allow_ahead and any(each.unknown for each in found):
        require_known(history, tables)
    pending = tuple(history.pending([each.rows for each in found if not each.unknown]))
    if check_heads and pending:
        raise _pending_error(found, pending)
    ids = dict.fromkeys(id_ for each in found for id_ in each.current)
    return CurrentRevisions(tuple(map(history.get, ids)), pending, databases=found)


def require_known(history: History, tables: Sequence[VersionTable], *, hint: str = "") -> None:
    """Raise DatabaseAhead as `history.require_known` does, and name the database if in question."""
    for table in tables:
        with in_database(table, tables):
            history.require_known(table.rows, hint=hint)


def require_any(tables: Sequence[VersionTable], purpose: str) -> None:
    """Raise EnvPyFailed when `env.py` has named no database; `purpose` is what one is for."""
    if not tables:
        raise EnvPyFailed(
            f"env.py named no database, so there is none to {purpose}.",
            hint="let env.py call `context.run_migrations()` for one database at least.",
        )


@contextmanager
def in_database(table: VersionTable, tables: Sequence[VersionTable]) -> Iterator[None]:
    """Let an error that is raised within name the database, where there are several `tables`."""
    try:
        with naming_table(table.name):
            yield
    except MigrateError as error:
        error.add_details({"database": table.database, "schema": table.schema})
        if len(tables) > 1:
            error.message += f"\nThat is {name_of(table, tables)}."
        raise


@contextmanager
def naming_table(name: str) -> Iterator[None]:
    """Let an error within about a row of the version table say what that table is called."""
    try:
        yield
    except DatabaseAhead as error:
        error.add_details({"table": name})
        error.message += f" The version table {name} says so."
        raise


def where(history: History, tables: Sequence[VersionTable]) -> str:
    """Return where the databases stand: a sentence, with a line for each if they are several."""
    found = statuses(history, tables)
    if not found:
        return NO_DATABASE
    if len(found) == 1:
        return f"The database stands at {found[0].standing}."
    return f"The databases stand here:{_listed(found)}"


def where_clause(history: History, tables: Sequence[VersionTable]) -> str:
    """Return what `where` does, for use after a colon."""
    said = where(history, tables)
    return f"{said[0].lower()}{said[1:]}"


def heads(history: History, *, resolve_dependencies: bool = False) -> tuple[Revision, ...]:
    """Return the revisions that no other follows.

    With `resolve_dependencies`, those that another depends on are left out.
    """
    graph = history.graph
    return tuple(map(history.get, graph.effective_heads if resolve_dependencies else graph.heads))


def heads_to_join(history: History) -> tuple[str, ...]:
    """Return the heads where they are several, and not all on a branch with a label of its own.

    A label says that a branch is meant to stay apart.
    """
    ids = history.graph.effective_heads
    if len(ids) < 2:
        return ()
    labels = [history.graph.branch_labels[id_] for id_ in ids]
    others = [set().union(*labels[:at], *labels[at + 1 :]) for at in range(len(labels))]
    is_apart = all(own - others[at] for at, own in enumerate(labels))
    return () if is_apart else ids


def heads_to_join_told(history: History) -> str | None:
    """Return a warning of such heads for who applies them all."""
    ids = heads_to_join(history)
    if not ids:
        return None
    return (
        f"there are {len(ids)} heads: {history.titles(ids)}. `upgrade` goes to all of them, and the"
        " next `revision` can't choose one; `merge heads` joins them."
    )


def require_joined_heads(history: History) -> None:
    """Raise MultipleHeads where there are heads to join."""
    if ids := heads_to_join(history):
        from .fork import fork  # few histories have one

        raise MultipleHeads(
            f"{len(ids)} heads: {history.titles(ids)}. The next `revision` can't choose one.",
            hint='join them with `{cmd} merge heads -m "join"`, or give each branch a label in'
            " `branch_labels` if they are to stay apart.",
            heads=list(ids),
            fork=fork(history, ids),
        )


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
    history: History,
    ids: Iterable[str],
    tables: Iterable[VersionTable],
    unmarked: str | None = None,
) -> HistoryReport:
    """Return the revisions `ids`, each with its state in the databases of `tables`.

    A revision is pending if one of the databases hasn't been through it. `unmarked` says why none
    has a state.
    """
    found = () if unmarked else statuses(history, tables)
    states: dict[str, State] = {}
    if not unmarked:
        states |= dict.fromkeys(history.ids, "applied")
        states |= dict.fromkeys((id_ for each in found for id_ in each.current), "current")
        states |= dict.fromkeys(history.pending([each.rows for each in found]), "pending")
    revisions = tuple(MarkedRevision(history.get(id_), states.get(id_)) for id_ in ids)
    return HistoryReport(revisions, unmarked, history.graph.dependencies, databases=found)


def _pending_error(found: Sequence[Status], pending: Sequence[str]) -> PendingMigrations:
    behind = [each for each in found if each.pending]
    if len(found) == 1:
        where = f"the database stands at {found[0].standing}."
    else:
        verb = "is" if len(behind) == 1 else "are"
        where = f"{len(behind)} of {len(found)} databases {verb} behind.{_listed(behind, found)}"
    return PendingMigrations(
        f"{len(pending)} revision{'s' if len(pending) > 1 else ''} pending: {where}",
        hint="apply them with `{cmd} upgrade`.",
        rows=list(union(each.table for each in found)),
        pending=list(pending),
        databases=tuple(found),
    )


def _listed(told: Sequence[Status], among: Sequence[Status] = ()) -> str:
    """Return a line for each database that is `told` of, named as one `among` others."""
    tables = [each.table for each in among or told]
    first = told if len(told) <= _LISTED else sorted(told, key=lambda each: -len(each.pending))
    lines = [f"\n  {name_of(each.table, tables)}: {each.standing}." for each in first[:_LISTED]]
    if len(told) > _LISTED:
        lines.append(f"\n  and {len(told) - _LISTED} more.")
    return "".join(lines)

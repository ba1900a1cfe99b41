"""Commands that write the version table and run no migration: stamp, ensure-version."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from typing import Any

from alembic import command
from alembic.runtime.migration import MigrationContext

from ..base.errors import UsageError
from ..base.results import Stamp, VersionTable, union
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.place import version_table
from ..bridge.stamp_steps import stamp_steps
from ..bridge.targets import find
from ..bridge.version_row import RowNotKept, VersionRow, rows_left
from ..bridge.version_table import look, read_each
from ..revisions.answers import in_database, require_known, statuses
from ..run.outcome import interruptible
from ..run.writing import writing

_PURGE = "`{cmd} stamp --purge REVISION` overrides it."


def stamp(
    context: RunContext, revisions: Sequence[str], *, purge: bool = False, tag: str | None = None
) -> Stamp:
    """Set the version table to `revisions`; with `purge`, empty it first.

    Raises BadRevision, MultipleHeads, DatabaseAhead (which `purge` overrides), LockNotObtained
    or Interrupted, or what `read_each` raises.
    """
    with shared_engine(context):
        history, tables = _looked_at(context)
        check_stamp(history, revisions)
        if tables == ():
            return Stamp((), databases=())
        if not purge:
            require_known(history, tables or (), hint=_PURGE)
        return _stamp(context, history, revisions, purge, tag)


def _stamp(
    context: RunContext,
    history: ScriptHistory,
    revisions: Sequence[str],
    purge: bool,
    tag: str | None,
) -> Stamp:
    before: list[VersionTable] = []
    after: list[VersionTable | None] = []

    def steps(rows: Sequence[str], migration_context: MigrationContext) -> Iterator[Any]:
        table = version_table(migration_context, rows)
        if not purge:
            before.append(table)
            history.require_known(rows, hint=_PURGE)
        yield from stamp_steps(history.script, revisions, rows)
        left = rows_left(migration_context)
        after.append(None if left is None else replace(table, rows=left))

    row = VersionRow()
    with _locked(context, history):
        if purge:  # Alembic then empties the table before it asks for the steps
            before += read_each(context, history.script)
        with told_as_errors(), row.moving():
            run_env(
                context,
                history.script,
                steps,
                destination_rev=tuple(revisions),
                tag=tag,
                purge=purge,
            )
        found = [table for table in after if table is not None]
        if not row.is_committed or not found or len(found) < len(after):
            found = [*read_each(context, history.script, has_run=True)]
        named = {r.revision for target in revisions for r in find(history, target, "stamp")}
        for table in found:
            with in_database(table, found):
                if not named <= history.applied(table.rows):
                    raise RowNotKept(table.name)
    return Stamp(union(before), databases=statuses(history, found))


def check_stamp(history: ScriptHistory, targets: Sequence[str]) -> None:
    """Raise when a database can't stand at all of `targets`.

    Alembic would write them, and then be unable to go on from there.

    Raises BadRevision, MultipleHeads or UsageError.
    """
    named = {r.revision: r for target in targets for r in find(history, target, f"stamp {target}")}
    for revision, other in permutations(named.values(), 2):
        if revision.revision in history.applied([other.revision]):
            raise UsageError(
                f"{other.title} comes after {revision.title}, so a database can't be at both.",
                hint=f"leave {revision.revision} out: it counts as applied.",
            )


def ensure_version(context: RunContext) -> Stamp:
    """Create the version table if it doesn't exist. Raises what `stamp` raises."""
    with shared_engine(context):
        history, tables = _looked_at(context)
        if tables == ():
            return Stamp((), databases=())
        return _ensure_version(context, history)


def _ensure_version(context: RunContext, history: ScriptHistory) -> Stamp:
    with _locked(context, history):
        tables = read_each(context, history.script)
        require_known(history, tables)
        with told_as_errors():
            command.ensure_version(context.config)
    return Stamp(union(tables), databases=statuses(history, tables))


def _looked_at(context: RunContext) -> tuple[ScriptHistory, tuple[VersionTable, ...] | None]:
    """Run `env.py`, which says which database to lock, and return the history and what `look` does.

    There is nothing to write where `env.py` names no database.
    """
    history = load_history(context)
    tables = look(context, history.script)
    return settled(context, history), tables


@contextmanager
def _locked(context: RunContext, history: ScriptHistory) -> Iterator[None]:
    with interruptible(context, history), writing(context):
        yield

"""Commands that write the version table and run no migration: stamp, ensure-version."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations, product
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from ..base.errors import UsageError
from ..base.results import Stamp, VersionTable, union
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env, tell_env_py
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.place import version_table
from ..bridge.slips import require_typed_out
from ..bridge.stamp_steps import rows_to_stamp, stamp_steps
from ..bridge.targets import find
from ..bridge.version_column import require_room, version_column, wide_enough, widen
from ..bridge.version_facts import checked, is_there, mendable
from ..bridge.version_row import RowNotKept, VersionRow, rows_left
from ..bridge.version_table import Take, examine, look, read_each
from ..revisions import answers
from ..run.outcome import interruptible
from ..run.recording import not_committed
from ..run.writing import writing


def stamp(
    context: RunContext, revisions: Sequence[str], *, purge: bool = False, tag: str | None = None
) -> Stamp:
    """Set the version table to `revisions`; with `purge`, empty it first, whatever its rows.

    Raises BadRevision, MultipleHeads, DatabaseAhead (which `purge` overrides), LockNotObtained
    or Interrupted, or what `read_each` raises.
    """
    tell_env_py(context, tuple(revisions), tag)
    with shared_engine(context):
        history, tables = _looked_at(context, mendable if purge else checked)
        check_stamp(history, revisions)
        if tables == ():
            return Stamp((), databases=())
        if not purge:
            answers.require_known(history, tables or ())
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
    wanted: dict[Any, Collection[str]] = {}

    def steps(rows: Sequence[str], migration_context: MigrationContext) -> Iterator[Any]:
        table = version_table(migration_context, checked(rows, migration_context))
        if not purge:
            before.append(table)
            history.require_known(rows)
        require_room(migration_context, named)
        wanted[table.place] = rows_to_stamp(history, revisions, rows)
        yield from stamp_steps(history, rows, wanted[table.place])
        left = rows_left(migration_context)
        after.append(None if left is None else replace(table, rows=left))

    named = {r.revision for target in revisions for r in find(history, target, "stamp")}
    row = VersionRow()
    with _locked(context, history):
        if purge:  # Alembic then empties the table before it asks for the steps
            before += read_each(context, history.script, mendable)
        with told_as_errors(), row.moving(), wide_enough(history):
            run_env(
                context,
                history.script,
                steps,
                destination_rev=tuple(revisions),
                tag=tag,
                purge=purge,
            )
        found = row.known(after)
        if found is None:
            found = read_each(context, history.script, has_run=True)
            _require_committed(history, after, found)
        for table in found:
            with answers.in_database(table, found):
                if set(table.rows) != wanted.get(table.place):
                    raise RowNotKept(table.name)
    return Stamp(
        union(before),
        databases=answers.statuses(history, found),
        stood=answers.statuses(history, before),
    )


def _require_committed(
    history: ScriptHistory, written: Sequence[VersionTable | None], now: Sequence[VersionTable]
) -> None:
    """Raise MigrationFailed unless the tables have `now` what was `written`, where known."""
    each = [table for table in written if table is not None]
    wanted, found = ({t.place: set(t.rows) for t in tables} for tables in (each, now))
    if len(each) == len(written) and wanted != found:
        raise not_committed(answers.where_clause(history, now), union(now))


def check_stamp(history: ScriptHistory, targets: Sequence[str]) -> None:
    """Raise when a database can't stand at all of `targets`.

    Alembic would write them, and then be unable to go on from there.

    Raises BadRevision, MultipleHeads or UsageError.
    """
    for target in targets:
        require_typed_out(history, target, "stamp")
    named = [find(history, target, f"stamp {target}") for target in dict.fromkeys(targets)]
    for one, others in permutations(named, 2):
        for revision, other in product(one, others):
            below = history.applied([other.revision]) - {other.revision}
            if revision.revision in below and revision not in others:
                raise UsageError(
                    f"{other.title} comes after {revision.title}, so a database can't be at both.",
                    hint=f"leave {revision.revision} out: it counts as applied.",
                )


def ensure_version(context: RunContext) -> Stamp:
    """Create the version table if it doesn't exist, and widen its column for the longest id.

    Raises what `stamp` raises.
    """
    with shared_engine(context):
        history, tables = _looked_at(context, checked)
        if tables == ():
            return Stamp((), databases=())
        return _ensure_version(context, history)


def _ensure_version(context: RunContext, history: ScriptHistory) -> Stamp:
    found: list[VersionTable] = []
    row = VersionRow()

    def only_widen(rows: Sequence[Any], migration_context: MigrationContext) -> list[Any]:
        found.append(version_table(migration_context, checked(rows, migration_context)))
        answers.require_known(history, found[-1:])
        column = version_column(migration_context)
        if column and column.width < history.longest:
            assert migration_context.connection is not None  # noqa: S101 - as in _run_and_commit
            row.expect_commit(migration_context.connection)
            widen(migration_context, column.width, history.longest)
        return []

    def is_whole(rows: Sequence[Any], migration_context: MigrationContext) -> bool:
        if not is_there(migration_context):
            return False
        column = version_column(migration_context)
        return column is None or column.width >= history.longest

    with _locked(context, history):
        with told_as_errors(), row.moving(), wide_enough(history):
            run_env(context, history.script, only_widen, _run_and_commit)
        if not row.is_committed and not all(
            examine(context, history.script, is_whole, has_run=True)
        ):
            raise not_committed(answers.where_clause(history, found), union(found))
    return Stamp(union(found), databases=answers.statuses(history, dict.fromkeys(found)))


def _run_and_commit(environment: EnvironmentContext) -> None:
    """Let Alembic make the version table where there is none, and commit that.

    Alembic looks for the table first. If that begins a transaction, nothing commits it, as there is
    no revision to commit. A transaction of `env.py` is left to `env.py`.
    """
    connection = environment.get_context().connection
    assert connection is not None  # noqa: S101 - only `--sql` has none, and doesn't come here
    was_in_transaction = connection.in_transaction()
    EnvironmentContext.run_migrations(environment)
    if not was_in_transaction:
        connection.commit()


def _looked_at(
    context: RunContext, rows_of: Take[tuple[str, ...]]
) -> tuple[ScriptHistory, tuple[VersionTable, ...] | None]:
    """Run `env.py`, which says which database to lock, and return the history and what `look` does.

    There is nothing to write where `env.py` names no database.
    """
    history = load_history(context)
    tables = look(context, history.script, rows_of)
    return settled(context, history), tables


@contextmanager
def _locked(context: RunContext, history: ScriptHistory) -> Iterator[None]:
    timeout = context.settings.options.lock_timeout_once
    with interruptible(context, history), writing(context, timeout):
        yield

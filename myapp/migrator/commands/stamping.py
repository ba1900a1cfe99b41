"""Commands that write the version table and run no migration: stamp, ensure-version."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import permutations
from typing import Any

from alembic.runtime.migration import MigrationContext

from ..base.errors import UsageError
from ..base.results import Stamp
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.stamp_steps import stamp_steps
from ..bridge.targets import find
from ..bridge.version_row import RowNotKept, VersionRow, rows_left
from ..bridge.version_table import look, read_heads
from ..revisions.answers import union
from ..revisions.history import standing
from ..run.outcome import interruptible
from ..run.writing import writing


def stamp(
    context: RunContext, revisions: Sequence[str], *, purge: bool = False, tag: str | None = None
) -> Stamp:
    """Set the version table to `revisions`; with `purge`, empty it first.

    Raises BadRevision, MultipleHeads, DatabaseAhead (which `purge` overrides), LockNotObtained
    or Interrupted, or what `read_heads` raises.
    """
    with shared_engine(context):
        history = _looked_at(context)
        check_stamp(history, revisions)
        return _stamp(context, history, revisions, purge, tag)


def _stamp(
    context: RunContext,
    history: ScriptHistory,
    revisions: Sequence[str],
    purge: bool,
    tag: str | None,
) -> Stamp:
    befores: list[tuple[str, ...]] = []
    afters: list[tuple[str, ...] | None] = []

    def steps(rows: Sequence[str], migration_context: MigrationContext) -> Iterator[Any]:
        if not purge:
            history.require_known(rows, hint="`{cmd} stamp --purge REVISION` overrides it.")
            befores.append(tuple(rows))
        yield from stamp_steps(history.script, revisions, rows)
        afters.append(rows_left(migration_context))

    row = VersionRow()
    with _locked(context, history):
        if purge:  # Alembic then empties the table before it asks for the steps
            befores.append(read_heads(context, history.script))
        with told_as_errors(), row.moving():
            run_env(
                context,
                history.script,
                steps,
                destination_rev=tuple(revisions),
                tag=tag,
                purge=purge,
            )
        known = [rows for rows in afters if rows is not None]
        is_known = row.is_committed and known and len(known) == len(afters)
        after = union(known) if is_known else read_heads(context, history.script, has_run=True)
        named = {r.revision for target in revisions for r in find(history, target, "stamp")}
        if not named <= history.applied(after):
            raise RowNotKept(context.settings.alembic.get("version_table", "alembic_version"))
    return Stamp(union(befores), after, standing(history, after))


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
        history = _looked_at(context)
        return _ensure_version(context, history)


def _ensure_version(context: RunContext, history: ScriptHistory) -> Stamp:
    with _locked(context, history):
        rows = read_heads(context, history.script)
        history.require_known(rows)
        with told_as_errors():
            # Alembic makes the table before it asks for steps, of which there are none.
            run_env(context, history.script, lambda rows, migration_context: [])
    return Stamp(rows, rows, standing(history, rows))


def _looked_at(context: RunContext) -> ScriptHistory:
    """Run `env.py`, which says which database to lock, and return the history."""
    history = load_history(context)
    look(context, history.script)
    return settled(context, history)


@contextmanager
def _locked(context: RunContext, history: ScriptHistory) -> Iterator[None]:
    with interruptible(context, history), writing(context):
        yield

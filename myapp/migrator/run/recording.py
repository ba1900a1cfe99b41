"""Whether a run that seems to have ended well is recorded in the version table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base.errors import EnvPyFailed, HalfApplied, MigrateError, MigrationFailed
from ..base.results import Step, VersionTable, union
from ..revisions import answers
from ..revisions.history import History
from .execution import Execution


def require_recorded(execution: Execution, after: Sequence[VersionTable]) -> None:
    """Raise when `env.py` reported success, and the version tables `after` it tell otherwise.

    Raises EnvPyFailed when it ran nothing, MigrationFailed or HalfApplied otherwise.
    """
    if error := _not_recorded(execution, after):
        error.add_details(details(execution.history, after, execution.table))
        error.add_details(execution.progress.told(after, error.details.get("revision")))
        raise error


def details(
    history: History, now: Sequence[VersionTable] | None, last: VersionTable | None
) -> dict[str, Any]:
    """Return where the databases stand, for machines; `now` is None if that isn't known.

    `last` is where a revision ran last.
    """
    ours = [table for table in now or () if last and table.place == last.place]
    return {
        "database": last.database if last else None,
        "schema": last.schema if last else None,
        "rows": None if now is None else list(union(ours or now)),
        "databases": None if now is None else answers.statuses(history, now),
    }


def _not_recorded(execution: Execution, after: Sequence[VersionTable]) -> MigrateError | None:
    where = answers.where_clause(execution.history, after)
    if not execution.was_asked and not after:
        return None  # env.py has named no database
    if not execution.was_asked:
        return EnvPyFailed(
            f"env.py ended without running any revision: {where}",
            hint="let env.py call `context.run_migrations()`.",
            path=str(Path(execution.history.script.dir, "env.py")),
        )
    if execution.running and (left := execution.leftovers(after)):
        return HalfApplied(
            f"env.py reported success, but revision {execution.running.title} did not end:"
            f" {where}{left}",
            hint=f"let env.py catch nothing that `context.run_migrations()` raises;"
            f" {'; '.join(left.todo(execution.running.revision.path))}.",
            revision=execution.running.revision.revision,
            path=execution.running.revision.path,
            **left.details,
        )
    if execution.running:
        return MigrationFailed(
            f"env.py reported success, but revision {execution.running.title} did not end: {where}",
            hint="let env.py catch nothing that `context.run_migrations()` raises.",
            revision=execution.running.revision.revision,
            path=execution.running.revision.path,
        )
    recorded = execution.progress.recorded(after)
    if len(recorded) == len(execution.done):
        return _with_foreign_rows(execution, after, where)
    lost = [step for step in execution.done if step not in recorded]
    revision, title = lost[-1].revision, lost[-1].title
    left = execution.leftovers_of(lost[-1], after)
    if left.committed:
        return HalfApplied(
            f"Revision {title} ran and is not recorded, because it commits by itself:"
            f" {where}{left}",
            hint=f"take the commit out of {revision.path}, and undo that by hand; or, if it is all"
            f" of the revision, type `{{cmd}} stamp {revision.revision}`.",
            revision=revision.revision,
            path=revision.path,
            **left.details,
        )
    if not_kept := execution.progress.not_kept(after):
        return row_not_kept(not_kept[-1], where)
    return not_committed(where)


def _with_foreign_rows(
    execution: Execution, after: Sequence[VersionTable], where: str
) -> HalfApplied | None:
    """Return the error of a run in which a revision has written an unknown row, if one has."""
    before = union(execution.before)  # `--allow-ahead` accepts what is there
    foreign = [row for row in execution.history.unknown(union(after)) if row not in before]
    if not execution.done or not foreign:
        return None
    last = execution.done[-1].revision
    return HalfApplied(
        f"The run was committed, and the version table now holds {', '.join(foreign)}, which no"
        f" revision file has: {where}",
        hint="let no revision write to the version table. `{cmd} stamp --purge"
        f" {last.revision}` takes out what it wrote, and {last.revision} stays applied.",
        revision=last.revision,
        path=last.path,
    )


def not_committed(where: str, rows: Sequence[str] | None = None) -> MigrationFailed:
    """Return the error of an `env.py` that has left the transaction open."""
    return MigrationFailed(
        f"env.py reported success, but nothing was committed: {where}",
        hint="in env.py, run no statement on the connection before `context.configure()`, or commit"
        " it.",
        **({} if rows is None else {"rows": list(rows)}),
    )


def row_not_kept(step: Step, where: str) -> HalfApplied:
    """Return the error of a `step` that was committed without its row."""
    revision = step.revision
    return HalfApplied(
        f"Revision {step.title} was committed, and the version table has not kept its row: {where}",
        hint="take the trigger, rule or policy off the version table that drops it, and type"
        f" `{{cmd}} stamp {revision.revision}`: all of the revision is there.",
        revision=revision.revision,
        path=revision.path,
    )

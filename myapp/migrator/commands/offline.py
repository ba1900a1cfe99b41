"""`--sql`: write the script that a run would execute, without a database."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.runtime.migration import MigrationContext

from ..base.errors import BadRevision, MigrateError, MigrationFailed, UsageError
from ..base.results import Revision
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env, tell_env_py
from ..bridge.loading import ScriptHistory
from ..bridge.planned_step import PlannedStep
from ..bridge.slips import require_typed_out
from ..bridge.stamp_steps import rows_to_stamp, stamp_steps
from ..bridge.targets import find
from ..bridge.version_column import ALEMBICS_WIDTH, wide_enough
from ..bridge.version_table import history_of_files, read_each
from ..database.failures import reason_of
from ..database.url import engine_url
from ..revisions import answers
from ..revisions.target import Range
from ..run.plan import Planner, is_past, plan_downgrade, plan_upgrade
from ..run.remedies import where_in
from .stamping import check_stamp

#: Where a script begins: a revision as it was typed, or the rows of a version table.
Start = str | tuple[str, ...]


def upgrade_sql(context: RunContext, target: str, *, tag: str | None = None) -> str:
    """Return the SQL of an upgrade to `target`, which may be a range.

    Without a start, it begins at an empty database. The start `current` asks the database.
    """
    return _run_sql(context, "upgrade", plan_upgrade, target, tag)


def downgrade_sql(context: RunContext, target: str, *, tag: str | None = None) -> str:
    """Return the SQL of a downgrade, `from:to`. The start `current` asks the database.

    Raises UsageError when the start is missing.
    """
    if Range.parse(target) is None:
        raise UsageError(
            "`downgrade --sql` needs a start: it does not look at the database.",
            hint=f"write `downgrade FROM:{target} --sql`; FROM may be `current`.",
        )
    return _run_sql(context, "downgrade", plan_downgrade, target, tag)


def show_sql(context: RunContext, revisions: Sequence[str]) -> str:
    """Return the SQL of each of these revisions alone, as if all that it builds on were applied."""

    def below(history: ScriptHistory, revision: str) -> Start | None:
        return history.foremost(history.graph.parents[revision]) or None

    return "".join(
        _run_sql(context, "show", plan_upgrade, revision, None, below) for revision in revisions
    )


def stamp_sql(context: RunContext, revisions: Sequence[str], *, tag: str | None = None) -> str:
    """Return the SQL that stamps `revisions`, each `to` or `from:to`."""
    ends = tuple(typed.end if (typed := Range.parse(each)) else each for each in revisions)
    tell_env_py(context, ends, tag)
    history = history_of_files(context)
    split = [_start(context, history, revision, "stamp") for revision in revisions]
    check_stamp(history, ends)
    starts = list(dict.fromkeys(start for start in split if start is not None))
    if len(starts) > 1:
        raise UsageError(
            "Stamp operation with --sql only supports a single starting revision at a time, and"
            f" these are several: {', '.join(f'`{revision}`' for revision in revisions)}.",
            hint="write the same start before each, or a script for each.",
        )
    start = starts[0] if starts else None
    if start is not None:
        _tell_long(context, (r.revision for end in ends for r in find(history, end, "stamp")))

    def steps(rows: Sequence[str], migration_context: MigrationContext) -> Iterator[Any]:
        yield from stamp_steps(history, rows, rows_to_stamp(history, ends, rows))

    return _write(context, lambda: _run_env(context, history, steps, start, ends, tag))


def ensure_version_sql(context: RunContext) -> str:
    """Return the SQL that creates the version table."""
    history = history_of_files(context)

    def write() -> None:
        with wide_enough(history):
            command.ensure_version(context.config, sql=True)

    return _write(context, write)


@contextmanager
def captured_sql(context: RunContext) -> Iterator[io.StringIO]:
    """Collect the SQL that Alembic writes within: it is the answer, or a part of the error."""
    written = io.StringIO()
    output, context.config.output_buffer = context.config.output_buffer, written
    try:
        yield written
    finally:
        context.config.output_buffer = output


def _run_sql(
    context: RunContext,
    name: str,
    planner: Planner,
    target: str,
    tag: str | None,
    starts_at: Callable[[ScriptHistory, str], Start | None] | None = None,
) -> str:
    typed = Range.parse(target)
    end = typed.end if typed else target
    tell_env_py(context, end, tag)
    history = history_of_files(context)
    start = starts_at(history, end) if starts_at else _start(context, history, target, name)
    begun: list[Revision] = []
    running: list[Revision] = []

    def steps(rows: Any, migration_context: MigrationContext) -> Iterator[PlannedStep]:
        is_typed = not target.startswith("current:")
        try:
            plan = planner(history, end, rows)
        except BadRevision as error:
            if is_typed and error.details["reason"] == "not_applied":
                raise _wrong_way(target, "up", "downgrade", "upgrade") from None
            raise
        if not plan and name == "upgrade" and is_typed and is_past(history, end, rows):
            raise _wrong_way(target, "down", "upgrade", "downgrade")
        if rows:
            _tell_long(context, (id_ for step in plan for id_ in step.added))
        for step in plan:
            begun.append(step.revision)
            running.append(step.revision)
            yield step
            running.clear()

    try:
        return _write(context, lambda: _run_env(context, history, steps, start, end, tag))
    except MigrateError as error:
        if not begun:
            error.sql = None  # without a revision, it is no script
        if not running:
            raise
        cause = error.__cause__ or error
        failed = MigrationFailed(
            f"Revision {running[0].title} can't be written as SQL: {reason_of(cause)}.",
            hint=f"see {where_in(running[0], cause)}: with `--sql` there is no database to ask.",
            revision=running[0].revision,
            path=running[0].path,
        )
        failed.sql = error.sql
        raise failed from cause


def _run_env(
    context: RunContext,
    history: ScriptHistory,
    steps: Callable[..., Iterator[Any]],
    start: Start | None,
    end: str | tuple[str, ...],
    tag: str | None,
) -> None:
    with wide_enough(history):
        run_env(
            context,
            history.script,
            steps,
            as_sql=True,
            starting_rev=start,
            destination_rev=end,
            tag=tag,
        )


def _wrong_way(target: str, way: str, typed: str, other: str) -> UsageError:
    return UsageError(
        f"`{target}` leads {way}, and `{typed}` can't.",
        hint=f"turn the range round, or type `{{cmd}} {other} {target} --sql`.",
    )


def _start(context: RunContext, history: ScriptHistory, target: str, name: str) -> Start | None:
    """Return the start, None if it isn't given. `current` asks the database."""
    typed = Range.parse(target)
    if typed is None:
        return None
    if typed.start != "current":
        require_typed_out(history, typed.start, name)
        found = find(history, typed.start or "base", f"{name} --sql {target}")
        rows = history.foremost([revision.revision for revision in found])
        # An env.py may ask for it as it was typed.
        is_id = len(rows) == 1 and rows[0].startswith(typed.start)
        return typed.start if is_id else rows or "base"
    tables = read_each(context, history.script)
    answers.require_any(tables, "begin at")
    answers.require_known(history, tables)
    if len({table.rows for table in tables}) > 1:
        raise UsageError(
            f"`current` is no start for one script. {answers.where(history, tables)}",
            hint="write the start yourself, a script for each.",
        )
    return history.foremost(tables[0].rows) or "base"


def _tell_long(context: RunContext, ids: Iterable[str]) -> None:
    """Warn of an id that a version table may not take, which the script doesn't create."""
    settings, longest = context.settings, max(ids, key=len, default="")
    is_sqlite = settings.has_url and engine_url(settings.url).get_backend_name() == "sqlite"
    if len(longest) > ALEMBICS_WIDTH and not is_sqlite:
        context.watcher.notice(
            f"the id {longest} has {len(longest)} characters. A version table that Alembic has made"
            f" takes {ALEMBICS_WIDTH}: `repair` widens it."
        )


def _write(context: RunContext, run: Callable[[], None]) -> str:
    with captured_sql(context) as written:
        try:
            with told_as_errors():
                run()
        except MigrateError as error:
            error.sql = written.getvalue()
            raise
    return written.getvalue()

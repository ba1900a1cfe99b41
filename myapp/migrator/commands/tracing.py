"""`plan --trace`: run what is pending in a scratch database, and see what it locks there."""

from collections.abc import Iterable
from dataclasses import replace

from alembic.runtime.migration import MigrationContext

from ..base.errors import Interrupted, MigrateError
from ..base.plans import Plan, TableSize
from ..base.results import Direction, VersionTable
from ..base.traces import Trace, TracedRevision
from ..base.verdicts import Verdict
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory
from ..bridge.version_row import aside
from ..bridge.version_table import GLANCE_SECONDS, examine
from ..database.table_sizes import table_sizes
from ..revisions.allowances import allowances_of, names_of
from ..revisions.allowances import judged as allowed
from ..revisions.causes import is_of_work
from ..revisions.dangers import judged
from ..run.tracing import Tracer
from .migration import downgrade, upgrade
from .planning import plan_and_places
from .scratch import in_scratch, scratch

_SQLITE = (
    "SQLite has one lock, on the whole file: writers wait for a revision from its first change to"
    " its commit, and readers for the commit. What a statement reads isn't seen; what a batch"
    " operation copies is."
)


def traced_plan(
    context: RunContext,
    target: str = "heads",
    *,
    direction: Direction = "upgrade",
    scratch_url: str | None = None,
    tag: str | None = None,
) -> Plan:
    """Return what `plan` does, with what its revisions are seen to do to what is there.

    They run in a scratch database at the revisions of each live one, which is only asked for its
    revisions and sizes. What fails there ends the trace, and stands in it as its `trace_error`.

    Raises what `plan` and `scratch` raise.
    """
    made, places = plan_and_places(context, target, direction=direction, tag=tag)
    down = direction == "downgrade"
    moved = {each.table for each in made.revisions}
    seen: dict[tuple[str, ...], Trace] = {}
    found: list[TracedRevision] = []
    for place in (each for each in places if each.table in moved):
        rows = place.table.rows
        if rows not in seen:
            seen[rows] = observe(
                context, rows, target, down=down, scratch_url=scratch_url, tag=tag, judge=False
            )
        sizes = {each.title: each for each in place.tables}
        # Where env.py opens several schemas, it has done so in the scratch database too.
        ran = seen[rows].revisions
        mine = [each for each in ran if each.table.schema == place.table.schema]
        found += _judged(mine or ran, sizes, place.table)
    errors = [each.error for each in seen.values() if each.error]
    notes = dict.fromkeys(note for each in seen.values() for note in each.notes)
    return _joined(made, Trace(target, tuple(found), errors[0] if errors else None, tuple(notes)))


def observe(
    context: RunContext,
    rows: tuple[str, ...],
    target: str = "heads",
    *,
    down: bool = False,
    scratch_url: str | None = None,
    tag: str | None = None,
    judge: bool = True,
) -> Trace:
    """Return what a run to `target` does in a scratch database at the version rows `rows`.

    No other database is asked, so that each table counts as large. Raises what `scratch` raises.
    """
    tracer = Tracer(context.watcher.notice)
    error = None
    with scratch(context, rows, scratch_url=scratch_url) as made:
        try:
            with in_scratch(context, made.url, tracer) as there, tracer.recording():
                run = downgrade if down else upgrade
                run(there, target, tag=tag)
        except Interrupted:
            raise
        except MigrateError as failed:
            if not tracer.done:
                raise
            title = tracer.done[-1].revision.title
            error = (
                f"{title} failed in the scratch database; the live one is untouched."
                f" {' '.join(failed.message.split())}"
            )
    is_sqlite = made.url.startswith("sqlite")
    revisions = tuple(tracer.done)
    if judge:
        revisions = tuple(_judged(revisions, None, None))
    return Trace(target, revisions, error, (_SQLITE,) if is_sqlite else ())


def live_sizes(context: RunContext, history: ScriptHistory) -> dict[str, TableSize] | None:
    """Return the sizes of the live tables by their titles, None if they can't be had at once.

    The database is only read, and is not waited for.
    """

    def take(rows: object, migration_context: MigrationContext) -> tuple[TableSize, ...]:
        with aside(migration_context) as connection:
            return table_sizes(connection)

    try:
        found = examine(context, history.script, take, seconds=GLANCE_SECONDS)
    except MigrateError:
        return None
    return {each.title: each for tables in found for each in tables}


def _joined(plan: Plan, seen: Trace) -> Plan:
    """Return a plan with what its revisions did in a scratch database."""
    found = {(each.revision.revision, each.table): each for each in seen.revisions}
    revisions = []
    for each in plan.revisions:
        traced = found.get((each.revision.revision, each.table))
        if traced:
            each = replace(
                each,
                traced=traced.statements,
                # What the rendering can't follow is seen here.
                is_transactional=each.is_transactional
                and all(one.transaction is not None for one in traced.statements),
                findings=(*_weighed(each.findings, traced), *traced.findings),
            )
        revisions.append(each)
    return replace(plan, revisions=tuple(revisions), trace_error=seen.error, trace_notes=seen.notes)


def _weighed(linted: Iterable[Verdict], traced: TracedRevision) -> Iterable[Verdict]:
    """Return what the linter found, by what the trace saw of the same line.

    A fear that did not come true is a warning. A safe way that the trace tells, too, is left out.
    """
    told = {
        (each.line, name) for each in traced.findings if each.remedy for name in names_of(each.rule)
    }
    for each in linted:
        touched = [one for s in traced.statements if s.line == each.line for one in s.touched]
        is_idle = touched and not any(one.is_scanned or one.is_rewritten for one in touched)
        if each.is_refused and is_idle and is_of_work(each.rule):
            message = f"{each.message} The trace saw no table read whole or written anew."
            yield each._replace(level="warning", message=message, remedy="")
        else:
            yield each._replace(remedy="") if (each.line, each.rule) in told else each


def _judged(
    revisions: Iterable[TracedRevision],
    sizes: dict[str, TableSize] | None,
    table: VersionTable | None,
) -> Iterable[TracedRevision]:
    for each in revisions:
        path = each.revision.path
        statements, verdicts = judged(each, None if sizes is None else each.sizes(sizes))
        given = allowances_of(path)
        # A comment that gives no reason is told by the plan itself.
        found = allowed(verdicts, [one for one in given if one.reason], path)
        there = table or each.table
        yield replace(each, table=there, statements=statements, findings=found)

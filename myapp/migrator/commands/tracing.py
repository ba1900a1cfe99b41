"""`plan --trace`: run what is pending in a scratch database, and see what it locks there."""

from collections.abc import Iterable
from dataclasses import replace

from ..base.errors import MigrateError
from ..base.plans import Plan, TableSize
from ..base.results import VersionTable
from ..base.traces import Trace, TracedRevision
from ..base.verdicts import Verdict
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_py import tell_env_py
from ..bridge.loading import load_history
from ..revisions.allowances import allowances_of, names_of
from ..revisions.allowances import judged as allowed
from ..revisions.causes import is_of_work
from ..revisions.dangers import judged
from ..run.tracing import Tracer
from .migration import downgrade, upgrade
from .planning import live_places
from .scratch import in_scratch, scratch

_SQLITE = (
    "SQLite has one lock, on the whole file: writers wait for a revision from its first change to"
    " its commit, and readers for the commit. What a statement reads isn't seen; what a batch"
    " operation copies is."
)


def trace(
    context: RunContext,
    target: str = "heads",
    *,
    down: bool = False,
    scratch_url: str | None = None,
    tag: str | None = None,
) -> Trace:
    """Return what `upgrade` to `target` does to what is there, from where the databases stand.

    Each runs in a scratch database at the same revisions; the live one is only asked for its
    revisions and sizes. With `down` it is `downgrade`. What fails there ends the trace, and stands
    in it as its `error`.

    Raises what `scratch` and `read_each` raise.
    """
    tell_env_py(context, target, tag)
    history = load_history(context, context.reading)
    with shared_engine(context):
        places = live_places(context, history)
    seen: dict[tuple[str, ...], Trace] = {}
    found: list[TracedRevision] = []
    for place in places:
        rows = place.table.rows
        if rows not in seen:
            seen[rows] = observe(
                context, rows, target, down=down, scratch_url=scratch_url, tag=tag, judge=False
            )
        sizes = {each.title: each for each in place.tables}
        found += _judged(seen[rows].revisions, sizes, place.table)
    errors = [each.error for each in seen.values() if each.error]
    notes = dict.fromkeys(note for each in seen.values() for note in each.notes)
    return Trace(target, tuple(found), errors[0] if errors else None, tuple(notes))


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


def joined(plan: Plan, seen: Trace) -> Plan:
    """Return a plan with what its revisions did in a scratch database."""
    found = {(each.revision.revision, each.table): each for each in seen.revisions}
    revisions = []
    for each in plan.revisions:
        traced = found.get((each.revision.revision, each.table))
        if traced:
            each = replace(
                each,
                traced=traced.statements,
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
        statements, verdicts = judged(each, sizes)
        given = allowances_of(path)
        # A comment that gives no reason is told by the plan itself.
        found = allowed(verdicts, [one for one in given if one.reason], path)
        yield replace(each, table=table, statements=statements, findings=found)

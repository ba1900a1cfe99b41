"""A plan as text for people, and as a document."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import click

from ..migrator.base.errors import MigrationFailed
from ..migrator.base.plans import Plan, PlannedRevision, TableSize
from ..migrator.base.results import VersionTable, name_of, short_name
from ..migrator.base.verdicts import REFUSED, Verdict
from ..migrator.revisions.answers import NO_DATABASE
from . import plan_trace
from .plan_trace import Line

_COLORS = {"error": "red", "warning": "yellow", "note": "cyan", "allowed": "bright_black"}


class PlanAnswer:
    """A plan as text and as a document. `is_short`: a line for each revision, as text.

    `redact` takes the secrets out of what the revisions say and send.
    """

    def __init__(
        self, plan: Plan, redact: Callable[[str], str], *, is_strict: bool, is_short: bool
    ) -> None:
        revisions = tuple(each.redacted(redact) for each in plan.revisions)
        self.plan = plan = replace(plan, revisions=revisions)
        self.is_short = is_short
        self.exit_code = REFUSED if is_strict and plan.refused else 0
        if plan.trace_error:
            self.plan = plan = replace(plan, trace_error=redact(plan.trace_error))
            self.exit_code = MigrationFailed.exit_code

    def document(self) -> dict[str, Any]:
        """Return the fields of the JSON document."""
        plan = self.plan
        return {
            "direction": plan.direction,
            "target": plan.target,
            "from": plan.start,
            "is_past": plan.is_past,
            "is_linted": plan.is_linted,
            "is_refused": bool(plan.refused),
            "exit_code": self.exit_code,
            "trace_error": plan.trace_error,
            "trace_notes": plan.trace_notes,
            "revisions": [_document(each) for each in plan.revisions],
            "databases": [
                {
                    "database": status.table.database,
                    "schema": status.table.schema,
                    "rows": status.rows,
                    "current": status.current,
                    "pending": status.pending,
                }
                for status in plan.databases
            ],
        }

    def lines(self) -> list[Line]:
        """Return the lines of the answer in text."""
        plan = self.plan
        if self.is_short:
            ids = {each.revision.revision: each for each in plan.revisions}
            return [_heading(each) for each in ids.values()]
        return [*self._databases(), *self._summary(), *self._traced()]

    def _databases(self) -> Iterator[Line]:
        plan = self.plan
        if plan.start is not None:
            yield f"From {plan.start}: {_steps(plan.revisions, plan)}."
            yield from _revisions(plan.revisions)
        told: list[tuple[list[PlannedRevision], str, list[PlannedRevision]]] = []
        is_below_sql = False
        tables = [status.table for status in plan.databases]
        for status in plan.databases:
            is_one = len(tables) == 1
            name = short_name(status.table.database) if is_one else name_of(status.table, tables)
            planned = [each for each in plan.revisions if each.table == status.table]
            same = next((each[1:] for each in told if each[0] == _alike(planned)), None)
            where = f"{name} is at {status.standing}"
            if is_below_sql:
                yield ""
            is_below_sql = bool(planned) and not same
            if not planned and plan.is_past:
                yield f"Nothing to do: {where}, which is past {plan.target}."
                yield f"To see the way back, type `plan --down {plan.target}`."
            elif not planned:
                yield f"Nothing to do: {where}."
            elif same:
                other, first = same
                yield f"{where}: the same {_steps(planned, plan)} as {other}."
                yield from _sizes(planned)
                yield from _more_findings(planned, first)
            else:
                yield f"{where}: {_steps(planned, plan)}."
                yield from _revisions(planned)
                told.append((_alike(planned), name, planned))
        if plan.start is None and not tables:
            yield f"Nothing to do: {NO_DATABASE}"

    def _traced(self) -> Iterator[Line]:
        plan = self.plan
        if plan.trace_notes or plan.trace_error:
            yield ""
        yield from plan.trace_notes
        if plan.trace_error:
            yield (click.style("The trace ends here:", fg="red"), f" {plan.trace_error}")

    def _summary(self) -> Iterator[Line]:
        found = self.plan.findings
        left = [each for each in found if each.allowed is None]
        counts = [
            (sum(each.level == level for each in left), level)
            for level in ("error", "warning", "note")
        ]
        said = [f"{count} {level}{'s' if count > 1 else ''}" for count, level in counts if count]
        if allowed := len(found) - len(left):
            said.append(f"{allowed} allowed")
        if said:
            yield ""
            yield f"Found: {', '.join(said)}.{' Status 10.' if self.exit_code == REFUSED else ''}"


def _alike(planned: Iterable[PlannedRevision]) -> list[PlannedRevision]:
    """Return what is the same in databases that need not be told one by one."""
    nowhere = VersionTable("", None, "", ())
    return [replace(each, table=nowhere, tables=(), findings=(), traced=()) for each in planned]


def _steps(planned: Sequence[PlannedRevision], plan: Plan) -> str:
    count = len(planned)
    way = "up" if plan.direction == "upgrade" else "down"
    return f"{count} revision{'' if count == 1 else 's'} {way} to {_end(planned, plan)}"


def _end(planned: Sequence[PlannedRevision], plan: Plan) -> str:
    """Return where a run ends: `-1` and `+2` don't say it."""
    if not planned or plan.target[:1] not in ("-", "+"):
        return plan.target
    last = planned[-1].revision
    is_up = plan.direction == "upgrade"
    return last.revision if is_up else ", ".join(last.down_revisions) or "base"


def _heading(planned: PlannedRevision) -> str:
    revision = planned.revision
    return f"{revision.revision}  {revision.message}".rstrip()


def _revisions(planned: Iterable[PlannedRevision]) -> Iterator[Line]:
    for each in planned:
        yield ""
        yield (click.style(each.revision.revision, bold=True), f"  {each.revision.message}")
        yield f"  {_relative(each.revision.path)}"
        yield f"  {_transaction(each)}"
        yield from (f"  Table {_size(table)}." for table in each.tables)
        yield from _sql(each)
        if each.unrendered:
            line = f"From line {each.unrendered.line} on it" if each.unrendered.line else "It"
            yield f"  {line} can't be written as SQL: {each.unrendered.why}."
        if not each.statements and not each.unrendered:
            yield "      -- sends nothing"
        if each.traced:
            yield from plan_trace.lines(each.traced)
        yield from (line for finding in each.findings for line in _finding(finding))


def _sql(planned: PlannedRevision) -> Iterator[Line]:
    is_mixed = len({sent.is_transactional for sent in planned.statements}) > 1
    before = True
    for sent in planned.statements:
        if is_mixed and sent.is_transactional != before:
            before = sent.is_transactional
            yield f"      -- {'in' if before else 'outside'} a transaction:"
        yield from (f"      {line}".rstrip() for line in f"{sent.sql};".splitlines())


def _sizes(planned: Iterable[PlannedRevision]) -> Iterator[Line]:
    tables = dict.fromkeys(table for each in planned for table in each.tables)
    yield from (f"  Table {_size(table)}." for table in tables)


def _more_findings(
    planned: Iterable[PlannedRevision], first: Iterable[PlannedRevision]
) -> Iterator[Line]:
    """Yield what is found here and not there, where the tables have other sizes."""
    for each, other in zip(planned, first, strict=True):
        more = [finding for finding in each.findings if finding not in other.findings]
        if more:
            yield f"  {_heading(each)}"
        yield from (line for finding in more for line in _finding(finding))


def _transaction(planned: PlannedRevision) -> str:
    if planned.is_transactional:
        return (
            "In one transaction with the whole run." if planned.is_shared else "In a transaction."
        )
    seen = [each.transaction is not None for each in planned.traced or ()]
    if any(seen or [each.is_transactional for each in planned.statements]):
        return "Partly outside a transaction: what fails there is not rolled back."
    return "Outside a transaction: what fails is not rolled back."


def _finding(found: Verdict) -> Iterator[Line]:
    line = f" (line {found.line})" if found.line else ""
    level = "allowed" if found.allowed is not None else found.level
    style = f"  {click.style(level, fg=_COLORS[level])} "
    if found.allowed is not None:
        yield (style, f"{found.rule}{line}, because {found.allowed}")
        return
    yield (style, f"{found.rule}{line}: {found.message}")
    yield from (f"      {each}".rstrip() for each in found.remedy.splitlines())


def _size(table: TableSize) -> str:
    size = "of unknown size" if table.bytes is None else format_bytes(table.bytes)
    if table.rows is None:
        return f"{table.title}: {size}, rows not estimated"
    return f"{table.title}: {size}, about {table.rows:,} row{'' if table.rows == 1 else 's'}"


def format_bytes(count: int) -> str:
    """Return a size for people, as `1.5 MB`, of 1,000 kB each."""
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.3g} {units[0]}"


def _relative(path: str) -> str:
    here = os.path.relpath(path)
    return path if here.startswith("..") else here


def _document(planned: PlannedRevision) -> dict[str, Any]:
    revision, unrendered = planned.revision, planned.unrendered
    return {
        "revision": revision.revision,
        "message": revision.message,
        "path": revision.path,
        "direction": planned.direction,
        "is_transactional": planned.is_transactional,
        "is_shared": planned.is_shared,
        "sql": [each.sql for each in planned.statements],
        "unrendered": unrendered and {"line": unrendered.line, "why": unrendered.why},
        "tables": [
            {"schema": each.schema, "name": each.name, "bytes": each.bytes, "rows": each.rows}
            for each in planned.tables
        ],
        "findings": [each._asdict() for each in planned.findings],
        "traced": plan_trace.document(planned.traced),
        "database": planned.table.database or None,
        "schema": planned.table.schema,
    }

"""The command that shows where a database stands."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from .asking import ask_first
from .cli import cli
from .durations import format_seconds
from .group import option
from .revision_text import titled
from .session import Session
from .wrapping import cut

if TYPE_CHECKING:
    from ..migrator.base.results import Revision
    from ..migrator.base.status_report import DatabaseReport, LockHolder, StatusReport, Trouble
    from ..migrator.bridge.context import RunContext
    from ..migrator.commands.quick import QuickSource

_WIDE = 80
#: How wide the first column is.
_NAMES = 11
#: How many pending revisions are shown, the first and the last.
_FIRST, _LAST = 3, 2
_PENDING, _AHEAD, _HEADS = 3, 7, 8


@cli.command("status", connects=True)
@option(
    "--check", is_flag=True, help="End with status 3 if pending, 7 if ahead, 8 if several heads."
)
@click.pass_obj
def status(session: Session, check: bool) -> object:
    """Show where the database stands, and what is pending.

    It also tells who holds the lock, and which rights are missing. It changes nothing, and takes
    no lock.
    """

    def quick(source: "QuickSource") -> "StatusReport":
        from ..migrator.commands import quick

        return quick.status(source)

    def ordinary(context: "RunContext") -> "StatusReport":
        from ..migrator.commands import status_report

        return status_report.status_report(context)

    report = ask_first(session, quick, ordinary)
    return StatusAnswer(report, session, check=check)


class StatusAnswer:
    """A report as it is shown."""

    def __init__(self, report: "StatusReport", session: Session, *, check: bool) -> None:
        self._report = report
        self._redact = session.console.redactor.redact
        self._hinted = session.console.hinted
        self._check = check
        self._known = [each.status for each in report.databases if each.status]

    @property
    def exit_code(self) -> int:
        """The exit status: what isn't known comes before what stops a run, and that before 3."""
        databases = self._report.databases
        failed = max((each.exit_code for each in databases), default=0)
        if failed or not self._check:
            return failed
        if any(each.status and each.status.unknown for each in databases):
            return _AHEAD
        if self._report.fork:
            return _HEADS
        return _PENDING if self._report.pending else 0

    def document(self) -> dict[str, Any]:
        """Return the fields of the JSON document."""
        report = self._report
        return {
            "heads": [each.revision for each in report.heads],
            "fork": report.fork and report.fork.document(),
            "pending": [each.revision for each in report.pending],
            "databases": [self._database(each) for each in report.databases],
            "exit_code": self.exit_code,
        }

    def _database(self, each: "DatabaseReport") -> dict[str, Any]:
        found = each.status
        return {
            "database": each.database,
            "schema": each.schema,
            "server": each.server,
            "seconds": round(each.seconds, 6),
            "unreachable": each.unreachable and self._redact(each.unreachable.what),
            "unreadable": each.unreadable and self._redact(each.unreadable.what),
            "state": found and found.state,
            "rows": found and found.rows,
            "current": found and found.current,
            "pending": found and found.pending,
            "unknown": found and found.unknown,
            "implied": each.implied,
            "is_standby": each.is_standby,
            "holder": each.holder and _holder(each.holder),
            "interrupted": each.interrupted,
            "invalid_indexes": _each(each.invalid_indexes),
            "lacking": _each(each.lacking),
            "unread": each.unread,
        }

    def lines(self) -> Iterator["str | tuple[str, str]"]:
        """Yield the lines of the answer in text."""
        report = self._report
        for each in report.databases:
            yield from self._of_database(each)
            if len(report.databases) > 1:
                yield ""
        if not report.databases:
            yield _line("Database", "env.py named no database.")
        heads = ", ".join(each.title for each in report.heads) or "there is no revision yet"
        yield _line("Head" if len(report.heads) < 2 else f"{len(report.heads)} heads", heads)
        if report.fork:
            from .forks import fork_lines

            for line in fork_lines(report.fork, _WIDE - _NAMES - 1):
                yield _line("", line)
            yield _line("", "`merge heads` joins them.")
        if self._known:
            yield from self._pending()

    def _of_database(self, each: "DatabaseReport") -> Iterator[tuple[str, str]]:
        schema = f", schema {each.schema}" if each.schema not in (None, "public") else ""
        yield _line("Database", f"{each.database or 'not known'}{schema}")
        if each.unreachable:
            yield from self._failed("Unreachable", each.unreachable)
            yield _line("", f"gave up after {format_seconds(each.seconds)}")
        elif each.server:
            server = f"{each.server}, a standby" if each.is_standby else each.server
            yield _line("Server", f"{server}, answered in {format_seconds(each.seconds)}")
        if each.unreadable:
            yield from self._failed("Unreadable", each.unreadable)
        if not each.server:
            yield from _of_lock(each) if each.holder else ()
            return
        if found := each.status:
            yield _line("Stands at", found.standing)
            if found.unknown:
                unknown = ", ".join(found.unknown)
                yield _line(
                    "Ahead", f"this code lacks {unknown}: newer code migrated it, or a file is gone"
                )
            elif found.pending and len(self._report.databases) > 1:
                yield _line("Pending", _count(len(found.pending)))
            if each.implied:
                rows = ", ".join(each.implied)
                yield _line("Superfluous", f"{rows}: another row says it; `repair` takes it out")
        yield from _of_lock(each)
        for sentence in each.interrupted:
            yield _line("Interrupted", sentence)
        yield from _troubles("Invalid", each.invalid_indexes)
        yield from _troubles("Lacks", each.lacking)
        if each.unread:
            yield _line("Not read", f"{', '.join(each.unread)}: may need other rights, too")

    def _failed(self, name: str, trouble: "Trouble") -> Iterator[tuple[str, str]]:
        yield _line(name, self._redact(trouble.what).replace("\n", " "))
        if trouble.cure:
            yield _line("", self._hinted(trouble.cure))

    def _pending(self) -> Iterator[tuple[str, str]]:
        pending = self._report.pending
        none = "not known" if any(each.state == "ahead" for each in self._known) else "nothing"
        yield _line("Pending", _count(len(pending)) if pending else none)
        for each in _some(pending):
            text = f"{titled(each)}" if each else f"... {len(pending) - _FIRST - _LAST} more ..."
            yield _line("", "  " + cut(text, _WIDE - _NAMES - 3))


def _holder(holder: "LockHolder") -> dict[str, Any]:
    return {
        "pid": holder.pid,
        "application": holder.application,
        "host": holder.host,
        "since": holder.since and holder.since.isoformat(),
        "revision": holder.revision,
    }


def _each(troubles: "Sequence[Trouble]") -> list[dict[str, str]]:
    return [{"what": trouble.what, "cure": trouble.cure} for trouble in troubles]


def _of_lock(each: "DatabaseReport") -> Iterator[tuple[str, str]]:
    if (holder := each.holder) is None:
        nobody = "not known: only the primary server sees it"
        yield _line("Lock", nobody if each.is_standby else "nobody holds it")
        return
    where = f" on {holder.host}" if holder.host else ""
    yield _line("Lock", f"pid {holder.pid}{where} ({holder.application}) holds it")
    if holder.since:
        yield _line("", f"since {holder.since.astimezone().isoformat(sep=' ', timespec='seconds')}")
    if holder.revision:
        yield _line("", f"in revision {holder.revision}")


def _troubles(name: str, found: "Sequence[Trouble]") -> Iterator[tuple[str, str]]:
    for trouble in found:
        yield _line(name, trouble.what)
        if trouble.cure:
            yield _line("", trouble.cure)


def _some(pending: "tuple[Revision, ...]") -> "list[Revision | None]":
    """Return the first and the last ones, with None for those in between."""
    if len(pending) <= _FIRST + _LAST + 1:
        return list(pending)
    return [*pending[:_FIRST], None, *pending[-_LAST:]]


def _count(number: int) -> str:
    return f"{number} revision{'' if number == 1 else 's'}"


def _line(name: str, text: str) -> tuple[str, str]:
    return f"{name:{_NAMES}} ", text

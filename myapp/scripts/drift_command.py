"""The command that finds what was changed in a database by hand."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from .cli import cli
from .group import option
from .session import Session

if TYPE_CHECKING:
    from ..migrator.base.drift import Drift, Drifted

_DRIFTED = 4
_LONGEST = 60
#: How much is shown before the place where two definitions differ.
_BEFORE = 30
#: What PostgreSQL takes in no transaction, or gives to none before it is committed.
_ALONE = re.compile(r"ALTER TYPE .* ADD VALUE |DROP SUBSCRIPTION ", re.DOTALL)
_HIDDEN = "A statement holds a secret of the settings, and is not shown."


@cli.command("drift", connects=True)
@option("--scratch-url", help="Make the scratch database on this PostgreSQL server.")
@click.pass_obj
def drift(session: Session, scratch_url: str | None) -> object:
    """Find what was changed in the database by hand.

    It is compared with a scratch database at the same revision, and is only read. Each difference
    is told with the statement that undoes it, as SQL that can be run, in one transaction. Exit
    status 4: there are differences.
    """
    from ..migrator.commands import drift

    found = drift.drift(session.context(), scratch_url=scratch_url)
    redact = session.console.redactor.redact
    differences = tuple(_without_secrets(each, redact) for each in found.differences)
    return DriftAnswer(replace(found, differences=differences), is_quiet=session.typed.quiet)


class DriftAnswer:
    """The differences, as an SQL script that undoes them."""

    #: The lines are SQL, which is not broken to fit the terminal.
    is_copied = True

    def __init__(self, found: "Drift", *, is_quiet: bool) -> None:
        self.found = found
        self.is_quiet = is_quiet
        self.exit_code = _DRIFTED if found.differences else 0

    def document(self) -> dict[str, Any]:
        """Return the fields of the JSON document."""
        found = self.found
        return {
            "database": found.table.database,
            "rows": found.table.rows,
            "differences": [_document(each) for each in found.differences],
            "ignored": found.ignored,
            "named_only": dict(found.named_only),
            "exit_code": self.exit_code,
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines of the answer in text."""
        from ..migrator.base.results import short_name

        found = self.found
        if self.is_quiet and not found.differences:
            return
        name = short_name(found.table.database)
        ignored = f" ({found.ignored} ignored)" if found.ignored else ""
        if not found.differences:
            text = f"No drift: {name} is what its revisions say, at {found.standing}{ignored}."
            yield _comment(text)
            yield from map(_comment, _named_only(found))
            return
        count = len(found.differences)
        differences = f"{count} difference{'s' if count > 1 else ''}{ignored}"
        yield _comment(f"{name} is at {found.standing}: {differences}.")
        yield from _script(found.differences)
        for line in _named_only(found):
            yield ""
            yield _comment(line)


def _without_secrets(one: "Drifted", redact: Callable[[str], str]) -> "Drifted":
    """Return the same without secrets. A statement with `***` in it would do something else."""
    facts = tuple(
        (fact, expected and redact(expected), found and redact(found))
        for fact, expected, found in one.facts
    )
    shown = tuple(each for each in one.statements if redact(each) == each)
    note = one.note if shown == one.statements else f"{one.note} {_HIDDEN}".strip()
    return replace(one, facts=facts, statements=shown, note=note)


def _document(one: "Drifted") -> dict[str, Any]:
    facts = [
        {"fact": fact, "expected": expected, "found": found} for fact, expected, found in one.facts
    ]
    return {
        "kind": one.kind,
        "name": one.name,
        "change": one.change,
        "facts": facts,
        "statements": one.statements,
        "note": one.note or None,
    }


def _script(differences: Iterable["Drifted"]) -> Iterator[str]:
    """Yield the differences. Either all statements work, or none is left: a DROP loses rows."""
    alone: list[Drifted] = []
    others: list[Drifted] = []
    for each in differences:
        (alone if any(map(_ALONE.match, each.statements)) else others).append(each)
    for each in alone:
        yield ""
        yield from _told(each)
    is_run = any(each.statements for each in others)
    if is_run:
        yield from ("", "BEGIN;")
    for each in others:
        yield ""
        yield from _told(each)
    if is_run:
        yield from ("", "COMMIT;")


def _told(one: "Drifted") -> Iterator[str]:
    name = f"{one.kind} {one.name}"
    what = {"added": "was added", "missing": "is missing", "changed": "was changed"}[one.change]
    yield _comment(f"{name} {what}{'.' if not one.facts else ':'}")
    for fact, expected, found in one.facts:
        one_text, other_text = both_shown(found, expected)
        yield _comment(f"  {fact}: {one_text}, and not {other_text}")
    yield from map(_comment, one.note.splitlines())
    for statement in one.statements:
        yield f"{statement};"


def _named_only(found: "Drift") -> Iterator[str]:
    """Yield a line about what is not known of some objects, if there are any."""
    if found.named_only:
        counts = ", ".join(f"{count} of the kind {kind}" for kind, count in found.named_only)
        yield f"Of some objects only the names are compared: {counts}."


def _comment(text: str) -> str:
    """Return a comment of one line: what a name has in it must not be run."""
    return f"-- {' '.join(text.splitlines())}"


def both_shown(found: str | None, expected: str | None) -> tuple[str, str]:
    """Return both sides of a fact on one line each, cut where they are long and the same."""
    one, other = (" ".join((fact or "none").split()) for fact in (found, expected))
    if one == other:  # blanks differ
        one, other = repr(found), repr(expected)
    begin = 0
    if max(len(one), len(other)) > _LONGEST:
        pairs = enumerate(zip(one, other, strict=False))
        same = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
        begin = max(same - _BEFORE, 0)
        if begin:  # at a word, where there is one
            begin = one.find(" ", begin, same) + 1 or begin
    return _cut(one, begin), _cut(other, begin)


def _cut(line: str, begin: int) -> str:
    end = begin + _LONGEST
    start, rest = ("..." if begin else ""), ("..." if len(line) > end else "")
    return f"{start}{line[begin:end].rstrip()}{rest}"

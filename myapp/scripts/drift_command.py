"""The command that finds what was changed in a database by hand."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .cli import cli
from .group import option
from .session import Session

if TYPE_CHECKING:
    from ..migrator.base.drift import Drift, Drifted

_DRIFTED = 4
_LONGEST = 60


@cli.command("drift", connects=True)
@option("--scratch-url", help="Make the scratch database on this PostgreSQL server.")
@click.pass_obj
def drift(session: Session, scratch_url: str | None) -> object:
    """Find what was changed in the database by hand.

    It is compared with a scratch database at the same revision, and is only read. Each difference
    is told with the statement that undoes it, as SQL that can be run. Exit status 4: there are
    differences.
    """
    from ..migrator.commands import drift

    return DriftAnswer(drift.drift(session.context(), scratch_url=scratch_url))


class DriftAnswer:
    """The differences, as an SQL script that undoes them."""

    #: The lines are SQL, which is not broken to fit the terminal.
    is_copied = True

    def __init__(self, found: "Drift") -> None:
        self.found = found
        self.exit_code = _DRIFTED if found.differences else 0

    def document(self) -> dict[str, Any]:
        """Return the fields of the JSON document."""
        found = self.found
        return {
            "database": found.table.database,
            "rows": found.table.rows,
            "differences": [_document(each) for each in found.differences],
            "ignored": found.ignored,
            "exit_code": self.exit_code,
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines of the answer in text."""
        from ..migrator.base.results import short_name

        found = self.found
        name = short_name(found.table.database)
        ignored = f" ({found.ignored} ignored)" if found.ignored else ""
        if not found.differences:
            yield f"No drift: {name} is what its revisions say, at {found.standing}{ignored}."
            return
        count = len(found.differences)
        differences = f"{count} difference{'s' if count > 1 else ''}{ignored}"
        yield f"-- {name} is at {found.standing}: {differences}."
        for each in found.differences:
            yield ""
            yield from _told(each)


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


def _told(one: "Drifted") -> Iterator[str]:
    name = f"{one.kind} {one.name}"
    what = {"added": "was added", "missing": "is missing", "changed": "was changed"}[one.change]
    yield f"-- {name} {what}{'.' if not one.facts else ':'}"
    for fact, expected, found in one.facts:
        yield f"--   {fact}: {_shown(found)}, and not {_shown(expected)}"
    for statement in one.statements:
        yield f"{statement};"
    for line in one.note.split("\n") if one.note else ():
        yield f"-- {line}"


def _shown(fact: str | None) -> str:
    if fact is None:
        return "none"
    line = " ".join(fact.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST].rstrip()}..."

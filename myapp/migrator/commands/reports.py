"""What the reading commands ask, and of whom: a source of facts, with Alembic or without.

`quick.QuickSource` answers most of it without Alembic, and raises AskAlembic for the rest.
`alembic_source.AlembicSource` answers all of it.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from ..base.errors import MigrateError, UsageError
from ..base.results import (
    Branch,
    CurrentRevisions,
    HistoryReport,
    Revision,
    VersionTable,
    union,
)
from ..revisions import answers
from ..revisions.history import History
from ..revisions.target import Range

H = TypeVar("H", bound=History)


class Source(Protocol[H]):
    """The revision files and the databases of one application, with its own kind of history."""

    def history(self) -> H:
        """Return the revisions, for who asks no database."""

    def stand(self, *, is_needed: bool = True) -> tuple[H, tuple[VersionTable, ...]]:
        """Return the revisions, and the version table of each database.

        A database that is not needed is not waited for.
        """

    def history_so_far(self) -> H:
        """Return the revisions as they are known when the database could not be asked."""

    def find(self, history: H, target: str, command: str) -> tuple[Revision, ...]:
        """Return the revisions that `target` names, in a `command` that an error quotes."""

    def between(
        self, history: H, typed: str, base: str | Sequence[str], head: str | Sequence[str]
    ) -> Sequence[str]:
        """Return the ids from `head` down to `base`, which was `typed` as a range."""


def current(source: Source[H], *, check_heads: bool = False) -> CurrentRevisions:
    """Return where each database stands, creating nothing; raises what `answers.current` does."""
    history, tables = source.stand()
    return answers.current(history, tables, check_heads=check_heads)


def heads(source: Source[H], *, resolve_dependencies: bool = False) -> tuple[Revision, ...]:
    """Return the revisions that no other follows, as `answers.heads`."""
    return answers.heads(source.history(), resolve_dependencies=resolve_dependencies)


def branches(source: Source[H]) -> tuple[Branch, ...]:
    """Return the revisions at which the history branches, the newest first."""
    return answers.branches(source.history())


def show(source: Source[H], target: str, *, command: str = "show") -> tuple[Revision, ...]:
    """Return the revisions that `target` names, one at least; `current` asks the database.

    Raises BadRevision when it names none.
    """
    if target != "current":
        known = source.history()
        return answers.found(target, source.find(known, target, f"{command} {target}"))
    known, tables = source.stand()
    answers.require_any(tables, "stand at a revision")
    answers.require_known(known, tables)
    return answers.found(target, tuple(map(known.get, union(tables))))


def history(
    source: Source[H], rev_range: str | None = None, *, require_database: bool = False
) -> HistoryReport:
    """Return the revisions of `rev_range`, `[start]:[end]`, each with its state in the database.

    When the database can't be asked, the revisions come without a state, unless
    `require_database` is set or the range names `current`: then the database's error is raised.
    """
    base, head = _range(rev_range)
    is_needed = require_database or "current" in (base, head)
    unmarked = None
    tables: tuple[VersionTable, ...] = ()
    try:
        known, tables = source.stand(is_needed=is_needed)
        answers.require_any(tables, "stand at a revision")
        answers.require_known(known, tables)
    except MigrateError as error:
        if is_needed:
            raise
        known = source.history_so_far()
        unmarked = error.message
    rows = known.foremost(union(tables))
    ends = _end(base, rows) or "base", _end(head, rows) or "heads"
    ids = known.ids if rev_range is None else source.between(known, rev_range, *ends)
    return answers.marked(known, ids, tables, unmarked)


def _range(rev_range: str | None) -> tuple[str, str]:
    if rev_range is None:
        return "", ""
    typed = Range.parse(rev_range.strip())
    if typed is None:
        raise UsageError(
            f"`{rev_range}` is not a range of revisions.",
            hint="write `[start]:[end]`, such as `-r base:current`, `-r ab12:` or `-r :head`.",
        )
    return typed.start, typed.end


def _end(symbol: str, rows: tuple[str, ...]) -> str | tuple[str, ...]:
    """Return one end of a range, with `current` as the database has it."""
    if symbol != "current":
        return symbol
    return rows or "base"

"""One connection of a run that is traced: what was seen of it, and whose locks it still holds."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy.engine import Connection

from ..base.quoting import literal
from ..base.traces import TracedStatement
from ..database.lock_trace import Held, LockTrace, Relations, Watched, relations_of
from ..database.transactions import is_outside, rows_of
from ..revisions.ddl import renamed_column


class Clock:
    """Counts seconds, but for those of looking, which a run that isn't traced does not have."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._stopped: float | None = None

    def now(self) -> float:
        """Return the seconds since some moment."""
        return (time.monotonic() if self._stopped is None else self._stopped) - self._spent

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still within."""
        self._stopped = began = time.monotonic()
        try:
            yield
        finally:
            self._spent += time.monotonic() - began
            self._stopped = None


class Seen(NamedTuple):
    """What was there at a moment, and which of it was locked."""

    relations: Relations
    held: Held
    at: float


class _Open(NamedTuple):
    """A statement whose locks are held: where it is recorded, and what it locked."""

    statements: list[TracedStatement]
    at: int
    position: int
    locks: Held
    began: float


class TracedSession:
    """One connection, with its open transaction and the statement that is at work."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Connect once more, to look from there. Raises DBAPIError."""
        self._locks = LockTrace(connection)
        self._clock = clock
        self._watching = ExitStack()
        self.watched = Watched()
        self.before = Seen({}, {}, 0.0)
        self.column_type: str | None = None
        self.is_alone = False
        self.forget()

    def forget(self) -> None:
        """Begin with the next transaction."""
        #: What was seen last in the transaction, None where none is open.
        self.last: Seen | None = None
        self.number: int | None = None
        self._count = 0
        self._open: list[_Open] = []

    def close(self) -> None:
        """Disconnect."""
        self.stop_watching()
        self._locks.close()

    def look(self, connection: Connection) -> Seen:
        """Return what is there now. Raises DBAPIError."""
        return Seen(relations_of(connection), self._locks.held(), self._clock.now())

    def begin(self, connection: Connection, statement: str) -> None:
        """Take note of a statement that is about to run, and watch it outside a transaction."""
        self.column_type = _column_type(connection, statement)
        self.is_alone = is_outside(connection)
        if self.is_alone:
            self.watched = self._watching.enter_context(self._locks.watching())

    def stop_watching(self) -> None:
        """Let the sessions go that watch a statement: others may wait for them."""
        self._watching.close()

    def add(
        self, statements: list[TracedStatement], record: TracedStatement, locks: Held, began: float
    ) -> None:
        """Add a statement that has taken `locks`, which it may hold until the commit."""
        self._count += 1
        self._open.append(_Open(statements, len(statements), self._count, locks, began))
        statements.append(record)

    def let_go(self, held: Held) -> None:
        """End the statements whose locks are no longer held, after a rollback to a savepoint."""
        for each in [*self._open]:
            if any(held.get(oid, -1) < mode for oid, mode in each.locks.items()):
                self._open.remove(each)
                self._end(each, is_undone=True)

    def end(self) -> None:
        """End all statements of the transaction, and begin with the next one."""
        for each in self._open:
            self._end(each)
        self.forget()

    def _end(self, ended: _Open, *, is_undone: bool = False) -> None:
        ended.statements[ended.at] = replace(
            ended.statements[ended.at],
            seconds=self._clock.now() - ended.began,
            following=self._count - ended.position,
            is_undone=is_undone,
        )


def _column_type(connection: Connection, statement: str) -> str | None:
    """Return the type of the column that a statement is about to rename."""
    named = renamed_column(statement)
    if named is None:
        return None
    table, column = map(literal, named)
    query = (
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"  # noqa: S608 # quoted
        f" WHERE attrelid = to_regclass({table}) AND attname = {column}"
    )
    rows = rows_of(connection, query)
    return str(rows[0][0]) if rows else None

"""Hear of each statement of a run in a scratch database, and see what it does there."""

import re
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy.engine import Connection

from ..base.results import Step
from ..base.traces import WHOLE_FILE, Touched, TracedRevision, TracedStatement
from ..base.watcher import Watcher
from ..database.listening import listening
from ..database.lock_trace import (
    Held,
    LockTrace,
    Relations,
    Watched,
    relations_of,
    touched,
)
from ..database.statements import as_written
from ..database.transactions import is_autocommit, rows_of
from ..revisions.ddl import copied_by, renamed_column

#: The run itself changes the time that a revision's statement may wait for a lock.
_OF_THE_RUN = re.compile(r"(?:SHOW|SET(?: LOCAL)?) lock_timeout\b")


class _Session:
    """One connection of the run, and the statement on it that is at work."""

    def __init__(self, connection: Connection) -> None:
        self.locks = LockTrace(connection)
        self.before: Relations = {}
        self.held_before: Held = {}
        self.last: tuple[Relations, Held] | None = None  # after the last one of the transaction
        self.watched = Watched()
        self.watching = ExitStack()
        self.type: str | None = None
        self.open: list[int] = []  # the statements of the open transaction
        self.since: dict[int, float] = {}

    def look(self, connection: Connection) -> None:
        self.before = relations_of(connection)
        self.held_before = self.locks.held()

    def close(self) -> None:
        self.watching.close()
        self.locks.close()


class Tracer(Watcher):
    """Records the statements of the revisions, while it hears of their begin and end as a watcher.

    Tables count as there before if they were when the first revision began.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._step: Step | None = None
        self._there: Relations | None = None
        self._sessions: dict[Connection, _Session] = {}
        self._statements: list[TracedStatement] = []
        self._transactions = 0
        self.done: list[TracedRevision] = []

    def notice(self, sentence: str) -> None:
        """Hand on a warning."""
        self._notice(sentence)

    def step(self, step: Step) -> None:
        """Take note that a revision begins, or has been committed."""
        if step.seconds is None:
            self._end_revision()
            self._step, self._statements, self._transactions = step, [], 0
        else:
            self._end_revision()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what runs within."""
        try:
            with listening(
                before_cursor_execute=self._before,
                after_cursor_execute=self._after,
                commit=self._ended,
                rollback=self._rolled_back,
            ):
                yield
        finally:
            self._end_revision()
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

    def _end_revision(self) -> None:
        if self._step is None:
            return
        for connection, session in self._sessions.items():
            if session.open and not connection.closed:
                self._ended(connection)
        statements = tuple(self._statements)
        step, self._step = self._step, None
        self.done.append(TracedRevision(step.revision, step.direction, None, statements))

    def _before(self, connection: Connection, _: Any, statement: str, *rest: Any) -> None:
        if connection.dialect.name != "postgresql" or self._line(statement) is None:
            return
        session = self._session(connection)
        session.look(connection)
        if self._there is None:
            self._there = self._without_version_table(session.before)
        self._unseen(session)
        session.type = _column_type(connection, statement)
        if is_autocommit(connection):
            session.watched = session.watching.enter_context(session.locks.watching())

    def _after(
        self,
        connection: Connection,
        _: Any,
        statement: str,
        parameters: Any,
        context: Any,
        *rest: Any,
    ) -> None:
        line = self._line(statement)
        if line is None:
            return
        statement = as_written(statement, context)
        if connection.dialect.name != "postgresql":
            copied = copied_by(statement)
            name, is_copied = copied or "the file", bool(copied)
            hit = Touched(name, name, WHOLE_FILE, True, False, is_copied, is_copied)
            is_read = statement.lstrip()[:6].upper() in ("SELECT", "PRAGMA")
            self._statements.append(TracedStatement(statement, line, 1, () if is_read else (hit,)))
            return
        session = self._session(connection)
        is_alone = is_autocommit(connection)
        session.watching.close()
        held = session.watched.held if is_alone else session.locks.held()
        after = relations_of(connection)
        found = touched(self._there or {}, session.before, after, session.held_before, held)
        named = dict(parameters) if isinstance(parameters, dict) else None
        if not is_alone and not session.open:
            self._transactions += 1
        record = TracedStatement(
            statement,
            line,
            None if is_alone else self._transactions,
            found,
            may_have_missed=is_alone and not session.watched.was_stopped,
            parameters=named,
            column_type=session.type,
        )
        self._add(session, record, is_open=not is_alone)
        session.last = None if is_alone else (after, held)

    def _add(self, session: _Session, record: TracedStatement, *, is_open: bool) -> None:
        if is_open:
            session.open.append(len(self._statements))
            session.since[len(self._statements)] = time.monotonic()
        self._statements.append(record)

    def _unseen(self, session: _Session) -> None:
        """Record what has changed since the last statement that SQLAlchemy told of."""
        if session.last is None or not session.open:
            return
        relations, held = session.last
        found = touched(self._there or {}, relations, session.before, held, session.held_before)
        if found:
            record = TracedStatement("", None, self._transactions, found)
            self._add(session, record, is_open=True)

    def _ended(self, connection: Connection) -> None:
        session = self._sessions.get(connection)
        if session is None or self._step is None:
            return
        if not connection.closed and session.open:
            session.look(connection)
            self._unseen(session)
        now = time.monotonic()
        for number, at in enumerate(session.open):
            self._statements[at] = replace(
                self._statements[at],
                seconds=now - session.since[at],
                following=len(session.open) - number - 1,
            )
        session.open, session.since, session.last = [], {}, None

    def _rolled_back(self, connection: Connection) -> None:
        if session := self._sessions.get(connection):
            session.watching.close()
            session.open, session.since, session.last = [], {}, None

    def _session(self, connection: Connection) -> _Session:
        if connection not in self._sessions:
            self._sessions[connection] = _Session(connection)
        return self._sessions[connection]

    def _without_version_table(self, relations: Relations) -> Relations:
        """Return what no run would touch by itself."""
        name = self._step.table.name if self._step else ""
        tables = {oid for oid, each in relations.items() if each.name.split(".")[-1] == name}
        return {oid: each for oid, each in relations.items() if each.table not in tables}

    def _line(self, statement: str) -> int | None:
        """Return the line of the revision's file that sends a statement, None if none does."""
        if self._step is None or _OF_THE_RUN.match(statement):
            return None
        path = self._step.revision.path
        frames = traceback.walk_stack(None)
        return next((line for frame, line in frames if frame.f_code.co_filename == path), None)


def _column_type(connection: Connection, statement: str) -> str | None:
    """Return the type of the column that a statement is about to rename."""
    named = renamed_column(statement)
    if named is None:
        return None
    table, column = (each.replace("'", "''") for each in named)
    query = (
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"  # noqa: S608 # quotes are doubled
        f" WHERE attrelid = to_regclass('{table}') AND attname = '{column}'"
    )
    rows = rows_of(connection, query)
    return str(rows[0][0]) if rows else None

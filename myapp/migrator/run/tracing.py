"""Hear of each statement of a run in a scratch database, and see what it does there."""

import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import SQLAlchemyError

from ..base.results import Step
from ..base.traces import TracedRevision, TracedStatement
from ..base.watcher import Watcher
from ..database.listening import is_of_the_run, listening
from ..database.lock_trace import Held, Relations, named_in, relations_of, taken, touched
from ..database.statements import as_written
from ..database.transactions import is_autocommit
from .traced_file import on_sqlite
from .traced_session import Clock, Seen, TracedSession

#: What ends a transaction, as a statement.
_ENDS = re.compile(
    r"\s*(?:COMMIT|END|ABORT|ROLLBACK(?!\s+((WORK|TRANSACTION)\s+)?TO\b))\b", re.IGNORECASE
)


class Tracer(Watcher):
    """Records the statements of the revisions, while it hears of their begin and end as a watcher.

    Tables count as there before if they were when the first revision began. What goes past
    SQLAlchemy is seen by the next statement, or by the commit.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._step: Step | None = None
        self._there: Relations | None = None
        self._connections: set[Connection] = set()
        self._sessions: dict[Connection, TracedSession] = {}
        self._statements: list[TracedStatement] = []
        self._renamed: dict[str, str] = {}
        self._transactions = 0
        self._clock = Clock()
        self._done: list[tuple[Step, list[TracedStatement], dict[str, str]]] = []

    @property
    def done(self) -> list[TracedRevision]:
        """What the revisions did that have begun."""
        return [
            TracedRevision(
                step.revision, step.direction, step.table, tuple(statements), renamed=renamed
            )
            for step, statements, renamed in self._done
        ]

    def notice(self, sentence: str) -> None:
        """Hand on a warning."""
        self._notice(sentence)

    def step(self, step: Step) -> None:
        """Take note that a revision begins, or has been committed."""
        self._end_revision()
        if step.seconds is None:
            self._step = step
            for connection in [*self._connections]:
                if not connection.closed and connection.in_transaction():
                    self._look_at(connection)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what runs within."""
        try:
            with listening(
                begin=self._begin,
                before_cursor_execute=self._before,
                after_cursor_execute=self._after,
                handle_error=self._failed,
                commit=self._committed,
                rollback=self._rolled_back,
            ):
                yield
        finally:
            self._end_revision()
            for session in self._sessions.values():
                session.end()
                session.close()
            self._sessions.clear()

    def _end_revision(self) -> None:
        if self._step is None:
            return
        for connection, session in [*self._sessions.items()]:
            self._look_back(connection, session)
            session.number = None  # a transaction of the whole run goes on
            if connection.closed:
                session.end()
                session.close()
                del self._sessions[connection]
        self._done.append((self._step, self._statements, self._renamed))
        self._step, self._statements, self._renamed, self._transactions = None, [], {}, 0

    def _begin(self, connection: Connection) -> None:
        if connection.dialect.name != "postgresql":
            return
        self._connections.add(connection)
        if session := self._sessions.get(connection):
            session.end()  # the driver has not told of it
        self._look_at(connection)

    def _look_at(self, connection: Connection) -> None:
        """Look at a transaction that begins, or at a revision that begins within one."""
        if self._step and not is_autocommit(connection):
            with self._clock.stopped():
                session = self._session(connection)
                session.last = session.look(connection)
                self._know(session.last.relations)

    def _before(self, connection: Connection, _: Any, statement: str, *rest: Any) -> None:
        _, context, _ = rest
        if connection.dialect.name != "postgresql" or self._is_of_the_run(statement, context):
            return
        with self._clock.stopped():
            session = self._session(connection)
            session.stop_watching()
            session.before = session.look(connection)
            self._know(session.before.relations)
            self._unseen(session, session.before)
            if self._line() is not None:
                session.begin(connection, statement)

    def _after(
        self,
        connection: Connection,
        _: Any,
        statement: str,
        parameters: Any,
        context: Any,
        *rest: Any,
    ) -> None:
        if self._is_of_the_run(statement, context):
            return
        statement = as_written(statement, context)
        line = self._line()
        if connection.dialect.name != "postgresql":
            if line is not None:
                self._statements.append(on_sqlite(statement, line))
            return
        with self._clock.stopped():
            session = self._session(connection)
            is_alone = session.is_alone if line is not None else is_autocommit(connection)
            session.stop_watching()
            if line is None or not is_alone:
                now = session.look(connection)
            else:
                now = Seen(relations_of(connection), session.watched.held, self._clock.now())
            if line is not None:
                named = dict(parameters) if isinstance(parameters, dict) else None
                self._add(session, session.before, now, statement, line, named, is_alone=is_alone)
            session.last = None if is_alone else now

    def _add(
        self,
        session: TracedSession,
        before: Seen,
        now: Seen,
        statement: str = "",
        line: int | None = None,
        parameters: dict[str, object] | None = None,
        *,
        is_alone: bool = False,
    ) -> None:
        """Record what a statement has done between two looks, if it is one or has done something.

        What has no text went past SQLAlchemy.
        """
        there = self._there or {}
        number = None if is_alone else self._number(session)
        if _ENDS.match(statement):
            session.end()
        elif not is_alone:
            session.let_go(now.held)
        used = named_in(statement, before.relations)
        if not is_alone:
            used &= now.held.keys()
        found = touched(there, before.relations, now.relations, before.held, now.held, used)
        if not found and not statement:
            return
        is_missed = any(each.mode is None for each in found)
        record = TracedStatement(
            statement,
            line,
            number,
            found,
            may_have_missed=is_alone and (is_missed or not session.watched.was_stopped),
            parameters=parameters,
            column_type=session.column_type if statement else None,
        )
        if is_alone:
            self._statements.append(record)
        else:
            locks: Held = taken(there, before.held, now.held, used)
            session.add(self._statements, record, locks, before.at)

    def _unseen(self, session: TracedSession, now: Seen) -> None:
        """Record what has changed since the last statement that SQLAlchemy told of."""
        if session.last is not None:
            self._add(session, session.last, now)

    def _failed(self, context: ExceptionContext) -> None:
        if context.connection in self._sessions:
            self._sessions[context.connection].stop_watching()

    def _committed(self, connection: Connection) -> None:
        if session := self._sessions.get(connection):
            self._ended(connection, session)

    def _rolled_back(self, connection: Connection) -> None:
        if session := self._sessions.get(connection):
            session.stop_watching()
            with suppress(SQLAlchemyError):  # the cause of the rollback is what counts
                self._ended(connection, session)

    def _ended(self, connection: Connection, session: TracedSession) -> None:
        """Take note that the transaction ends, and let the next one begin."""
        try:
            self._look_back(connection, session)
        finally:
            session.end()

    def _look_back(self, connection: Connection, session: TracedSession) -> None:
        """Record what the transaction has done since the last look."""
        if session.last and self._step and not (connection.closed or connection.invalidated):
            with self._clock.stopped():
                now = session.look(connection)
                self._unseen(session, now)
                session.last = now

    def _session(self, connection: Connection) -> TracedSession:
        if connection not in self._sessions:
            self._sessions[connection] = TracedSession(connection, self._clock)
        return self._sessions[connection]

    def _number(self, session: TracedSession) -> int:
        """Return the number of the session's transaction in the revision."""
        if session.number is None:
            self._transactions += 1
            session.number = self._transactions
        return session.number

    def _know(self, relations: Relations) -> None:
        """Remember which tables are there, and which of them have another name by now."""
        if self._there is None:
            self._there = self._without_version_table(relations)
        for oid, each in self._there.items():
            now = relations.get(oid)
            if now and now.name != each.name:
                self._renamed[now.name] = each.name

    def _without_version_table(self, relations: Relations) -> Relations:
        """Return what no run would touch by itself."""
        name = self._step.table.name if self._step else ""
        tables = {oid for oid, each in relations.items() if each.name.split(".")[-1] == name}
        return {oid: each for oid, each in relations.items() if each.table not in tables}

    def _is_of_the_run(self, statement: str, context: Any) -> bool:
        """Whether a statement touches nothing but what belongs to the run itself."""
        if self._step is None or is_of_the_run(context):
            return True
        return self._line() is None and self._step.table.name in statement

    def _line(self) -> int | None:
        """Return the line of the revision's file that sends a statement, None if none does."""
        path = self._step.revision.path if self._step else None
        frames = traceback.walk_stack(None)
        return next((line for frame, line in frames if frame.f_code.co_filename == path), None)

"""PostgreSQL: count the transactions of a session, to know whether one was committed unseen.

A virtual transaction id, such as `3/57`, is a session's slot and a counter of its transactions
(https://www.postgresql.org/docs/current/transaction-id.html). A commit inside a procedure counts,
and so does a statement outside a transaction. If only one transaction has ended since the revision
began, and it was rolled back, then the revision has left nothing through this session.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from ..database.failures import sqlstate
from ..database.transactions import ASK, COMMITTED, Answer, is_autocommit, row_of
from .witness import Status, Witness, status_of

_MOST_LOOKED_AT = 10_000
#: The server's names of commands that leave nothing, if each is the only one in its string.
_HARMLESS = {"SET", "RESET", "SHOW", "LISTEN", "UNLISTEN", "DISCARD ALL"}
# How many seconds a number is used before the session is asked again. An older number is no less
# certain, but then the transactions of earlier revisions count too. Asking costs a round trip.
_FRESH = 1.0


class _Commit(NamedTuple):
    """A COMMIT that was about to be sent: the session's number without it and with it."""

    before: int | None
    after: int | None
    was_clean: bool


class SessionWitness(Witness):
    """Counts the transactions of one session."""

    def __init__(
        self, committed_since: Callable[[int, int], int | None], *, is_pooled: bool
    ) -> None:
        """With `is_pooled`, each transaction may run in another session.

        `committed_since` takes the id of a transaction and the pid of a session. It waits until
        that session has ended, and returns how many transactions of the server were committed
        since that id; None if the server can't be asked.
        """
        self._committed_since = committed_since
        self._is_pooled = is_pooled
        self._last: Answer | None = None
        self._asked_at = 0.0
        self._finished = 0  # revisions that were committed since the last question
        # The number of the open transaction, or else of the next one. None if it isn't known.
        self._number: int | None = None
        self._is_clean = True
        self._is_lost = False
        self._is_settled = False  # the answer was found before the connection was closed
        self._has_changed_isolation = False
        self._committing: _Commit | None = None

    @property
    def why(self) -> str:
        """Why something may stay."""
        if self._is_lost:
            return "its connection was lost, and what became of its transaction isn't known"
        return "it has ended a transaction by itself, or used one that isn't counted"

    def begin_revision(self, connection: Connection) -> None:
        """Ask for the session's number, unless it was asked for a moment ago."""
        self._is_clean, self._is_lost, self._is_settled = True, False, False
        self._committing = None
        is_stale = self._number is None or time.monotonic() - self._asked_at > _FRESH
        if is_stale or self._is_pooled:
            self._learn(connection)

    def begin(self, connection: Connection) -> None:
        """Ask for the number again, if a driver or a pooler may have changed it."""
        self._committing = None
        before, self._has_changed_isolation = self._has_changed_isolation, False
        if self._is_pooled:
            self._learn(connection)
        elif before and self._is_clean and self._number is not None:
            number = self._number
            answer = self._learn(connection)
            # psycopg2 may use a transaction of its own to change the level.
            self._is_clean = answer is not None and answer.number - number in (0, 1)

    def commit(self, connection: Connection, *, in_function: bool) -> None:
        """Check whether anything is about to be committed."""
        before, number = self._is_clean, self._number
        if in_function and status_of(connection) is Status.FAILED:
            self._roll_back(connection)
        elif in_function:
            answer = self._check(connection, undone=0)
            if answer and answer.own_id is not None:
                self._is_clean = False
        if in_function:
            number = self._number
        self._count_end(connection)
        self._committing = _Commit(number, self._number, before)

    def raised(self, connection: Connection) -> None:
        """Check what ran outside the transactions that SQLAlchemy knows of."""
        if self._is_clean and not connection.closed and not connection.in_transaction():
            self.rollback(connection, has_raised=True)
            if status_of(connection) is Status.OPEN:
                connection.connection.rollback()

    def rollback(self, connection: Connection, *, has_raised: bool) -> None:
        """Check whether the transaction that is rolled back is the only one there was."""
        if self._committing:
            self._number = self._committing.before  # the COMMIT was not sent
        self._committing = None
        status = status_of(connection)
        if status is Status.LOST:
            self._is_lost = not self._is_settled
            return
        before = self._number, self._is_clean
        if status is Status.FAILED or self._check(connection, undone=0) is None:
            self._number, self._is_clean = before
            self._roll_back(connection)
        self._count_end(connection)

    def change_isolation(self, connection: Connection) -> None:
        """Count the transaction in which SQLAlchemy has asked for the old level."""
        self._has_changed_isolation = is_autocommit(connection)  # it is about to leave autocommit
        if self._is_clean and status_of(connection) is Status.OPEN:
            self._check(connection, undone=0)
            self._count_end(connection)

    def ask_aside(self, connection: Connection) -> None:
        """Count a query outside a transaction, which is a transaction of its own."""
        if is_autocommit(connection) and self._number is not None:
            self._number += 1

    def execute(self, connection: Connection) -> None:
        """Count before a statement outside a transaction."""
        self._committing = None
        if self._is_clean and is_autocommit(connection):
            self._check(connection, undone=0)

    def executed(self, connection: Connection, cursor: Any, statement: str) -> None:
        """Check a statement that ran outside a transaction, or that ended one."""
        if not self._is_clean or status_of(connection) is not Status.IDLE:
            return
        said = getattr(cursor, "statusmessage", None)
        is_single = ";" not in statement.rstrip("; \n\t")
        is_harmless = said == "ROLLBACK" or (said in _HARMLESS and is_single)
        self._check(connection, undone=1 if is_harmless else 0)

    def failed(self, connection: Connection, error: BaseException) -> None:
        """Check a statement that failed outside a transaction, or a COMMIT that failed."""
        status = status_of(connection)
        if status is Status.LOST:
            self._is_lost = True
        elif not isinstance(error, Exception):  # SQLAlchemy closes the connection next
            self.rollback(connection, has_raised=True)
            self._is_settled = True
        elif self._committing:
            commit, self._committing = self._committing, None
            self._number, self._is_clean = commit.after, commit.was_clean
            if sqlstate(error):
                self._check(connection, undone=0)  # the failed COMMIT is counted already
            else:
                self._is_clean = False
        elif status is Status.IDLE and self._is_clean:
            self._check(connection, undone=1 if sqlstate(error) else 0)

    def end_revision(self) -> None:
        """Count one more committed revision."""
        self._finished += 1
        self._committing = None

    def left_nothing(self, *, is_up: bool) -> bool:
        """Tell whether all transactions of this session were rolled back."""
        if self._is_clean and self._is_lost:
            self._is_clean = is_up and self._was_lost_with_all()
            self._is_settled = True
        return self._is_clean

    def _check(self, connection: Connection, *, undone: int, ask: str = ASK) -> Answer | None:
        """Ask for the number and compare it; `undone` transactions were rolled back.

        If more have ended, the session is still clean if the whole server has committed nothing
        meanwhile but the finished revisions.
        """
        before, last = self._number, self._last
        answer = self._ask(connection, ask)
        if answer is None or last is None or before is None:
            self._is_clean = False
        elif answer.pid != last.pid or answer.number - before != undone:
            self._is_clean = self._is_clean and self._was_quiet(connection, last, answer)
        if self._is_clean and answer:
            self._take(connection, answer)
        return answer

    def _learn(self, connection: Connection) -> Answer | None:
        """Ask for the number and trust it. Use a transaction of its own if none is open."""
        was_idle = status_of(connection) is Status.IDLE
        answer = self._ask(connection)
        if answer is None:
            self._is_clean = False
            if was_idle and status_of(connection) is not Status.LOST:
                connection.connection.rollback()
            return None
        self._take(connection, answer)
        if was_idle and status_of(connection) is Status.OPEN and not self._is_pooled:
            self._count_end(connection)
            connection.connection.commit()
        return answer

    def _take(self, connection: Connection, answer: Answer) -> None:
        self._last, self._asked_at, self._finished = answer, time.monotonic(), 0
        is_open = not is_autocommit(connection) and status_of(connection) is not Status.IDLE
        self._number = answer.number if is_open else answer.number + 1

    def _count_end(self, connection: Connection) -> None:
        """Count the transaction that is about to end, if there is one."""
        status = status_of(connection)
        if status is Status.UNKNOWN:
            self._number = None
        elif status is not Status.IDLE and self._number is not None:
            self._number += 1

    def _roll_back(self, connection: Connection) -> None:
        """Roll back a transaction that has failed, and count it."""
        if self._is_pooled and connection.dialect.driver == "psycopg2":
            # One message, since a pooler sends it to one session.
            self._check(connection, undone=1, ask=f"ROLLBACK; {ASK}")
        else:
            connection.connection.rollback()
            self._check(connection, undone=1)

    def _ask(self, connection: Connection, statement: str = ASK) -> Answer | None:
        self._number = None  # it stays so if a signal comes before the answer
        row = row_of(connection, statement)
        return Answer(*row) if row else None

    def _was_quiet(self, connection: Connection, last: Answer, answer: Answer) -> bool:
        if answer.next_id - last.next_id > _MOST_LOOKED_AT:
            return False
        row = row_of(connection, COMMITTED.format(first=last.next_id, end=answer.next_id))
        return row is not None and row[0] == self._finished

    def _was_lost_with_all(self) -> bool:
        last = self._last
        if last is None or self._is_pooled:
            return False
        return self._committed_since(last.next_id, last.pid) == self._finished

"""Which statements of a revision are known to have been committed: to be told, not to decide by."""

from typing import Any

from sqlalchemy.engine import Connection

from ..redaction import redacted
from .witness import Status, status_of

#: Statements that change nothing by themselves.
_NOT_TOLD = {"SELECT", "PRAGMA", "SHOW", "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"}
_NOT_TOLD |= {"SAVEPOINT", "RELEASE", "SET", "RESET"}
_ROWS = {"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"}
#: A revision that fills a table can run millions of statements; the first ones tell where it was.
_KEPT = 100


class Journal:
    """Keeps the statements of the running revision apart: committed, and not yet committed."""

    def __init__(self) -> None:
        self._transactional_ddl = True
        self.begin_revision()

    def begin_run(self, *, transactional_ddl: bool) -> None:
        """Take note of whether the database can undo a CREATE TABLE."""
        self._transactional_ddl = transactional_ddl

    def begin_revision(self) -> None:
        """Forget the statements of the revision before."""
        self.committed = _Statements()
        self._open = _Statements()
        self._being_committed = _Statements()

    def executed(self, connection: Connection, cursor: Any, statement: str) -> None:
        """Take note of a statement that succeeded."""
        self.confirm_commit()
        verb = statement.split(None, 1)[0].rstrip(";").upper() if statement.strip() else ""
        if getattr(cursor, "statusmessage", None) == "ROLLBACK":
            self.rollback()
        elif verb not in _NOT_TOLD:
            self._open.add(" ".join(redacted(statement).split()))
        if not self._is_in_transaction(connection, verb):
            self.committed.take(self._open)

    def commit(self) -> None:
        """Take note of a COMMIT, which may still fail."""
        self._being_committed.take(self._open)

    def confirm_commit(self) -> None:
        """Take note that it has not failed."""
        self.committed.take(self._being_committed)

    def rollback(self) -> None:
        """Forget what is undone."""
        self._open = _Statements()
        self._being_committed = _Statements()

    def _is_in_transaction(self, connection: Connection, verb: str) -> bool:
        status = status_of(connection)
        if status is not Status.UNKNOWN:
            return status is not Status.IDLE
        autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        return not autocommit and (self._transactional_ddl or verb in _ROWS | _NOT_TOLD)


class _Statements:
    """The first statements, and how many more there were."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.more = 0

    def add(self, statement: str) -> None:
        if len(self.shown) < _KEPT:
            self.shown.append(statement)
        else:
            self.more += 1

    def take(self, others: "_Statements") -> None:
        """Move all of `others` here."""
        for statement in others.shown:
            self.add(statement)
        self.more += others.more
        others.shown, others.more = [], 0

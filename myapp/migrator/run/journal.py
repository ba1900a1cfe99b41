"""The statements of a revision that are known to be committed. They are for messages only."""

from collections.abc import Collection
from typing import Any

from sqlalchemy.engine import Connection

from ..settings.redaction import redacted
from .witness import Status, status_of

#: Statements that change nothing by themselves.
_NOT_TOLD = {"SELECT", "PRAGMA", "SHOW", "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"}
_NOT_TOLD |= {"SAVEPOINT", "RELEASE", "SET", "RESET"}
_ROWS = {"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"}
#: A revision that fills a table can run millions of statements. The first ones are enough.
_KEPT = 100


class Journal:
    """Keeps the statements of the running revision: those committed, and those that are not yet."""

    def __init__(self) -> None:
        self._transactional_ddl = True
        #: The id of the revision that runs.
        self.revision = ""
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
        elif verb and verb not in _NOT_TOLD:
            self._open.add(self.revision, " ".join(redacted(statement).split()))
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
    """The first statements of each revision, and how many more there were."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[list[str], int]] = {}

    def add(self, revision: str, statement: str) -> None:
        shown, more = self._of.get(revision, ([], 0))
        if len(shown) < _KEPT:
            shown.append(statement)
        else:
            more += 1
        self._of[revision] = shown, more

    def take(self, others: "_Statements") -> None:
        """Move all of `others` here."""
        for revision, (shown, more) in others._of.items():
            for statement in shown:
                self.add(revision, statement)
            kept, before = self._of[revision]
            self._of[revision] = kept, before + more
        others._of = {}

    def told(self, recorded: Collection[str]) -> tuple[list[str], int]:
        """Return the first statements and how many followed, except of `recorded` revisions."""
        left = [of for revision, of in self._of.items() if revision not in recorded]
        every = [statement for shown, _ in left for statement in shown]
        return every[:_KEPT], len(every[_KEPT:]) + sum(more for _, more in left)

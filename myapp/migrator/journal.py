"""What a running revision has committed: the evidence when it fails half-way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection

from .listening import listening
from .redaction import redacted

#: Statements that change nothing by themselves.
_NOT_TOLD = {"SELECT", "PRAGMA", "SHOW", "BEGIN", "START", "COMMIT", "END", "SAVEPOINT", "RELEASE"}
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
        self._open: list[str] = []
        self._being_committed: list[str] = []
        self._committed: list[str] = []

    @property
    def committed(self) -> list[str]:
        """The statements of the running revision that a rollback does not undo."""
        return self._committed[:_KEPT]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Keep what runs within."""
        with listening(
            after_cursor_execute=self._executed,
            begin=self._confirm_commit,
            commit=self._commit,
            rollback=self._rollback,
        ):
            yield

    def _executed(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        self._confirm_commit(connection)
        verb = statement.split(None, 1)[0].rstrip(";").upper() if statement.strip() else ""
        if verb == "ROLLBACK":
            self._rollback(connection)
        elif verb not in _NOT_TOLD and len(self._open) < _KEPT:
            self._open.append(" ".join(redacted(statement).split()))
        if not self._is_in_transaction(connection, verb):
            self._committed += self._open
            self._open = []

    def _is_in_transaction(self, connection: Connection, verb: str) -> bool:
        """Ask the driver: an `op.execute("COMMIT")` is known to nobody else."""
        driver: Any = connection.connection.driver_connection
        if hasattr(driver, "in_transaction"):  # sqlite3, aiosqlite
            return bool(driver.in_transaction)
        if hasattr(driver, "info") and hasattr(driver.info, "transaction_status"):
            return bool(driver.info.transaction_status)  # psycopg2, psycopg: IDLE is 0
        autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        return not autocommit and (self._transactional_ddl or verb in _ROWS | _NOT_TOLD)

    def _commit(self, connection: Connection) -> None:
        # SQLAlchemy tells this before the COMMIT, which may still fail.
        self._being_committed, self._open = self._open, []

    def _confirm_commit(self, connection: Connection) -> None:
        self._committed += self._being_committed
        self._being_committed = []

    def _rollback(self, connection: Connection) -> None:
        self._open = []
        self._being_committed = []

"""What a running revision has committed: the evidence when it fails half-way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

_READS = ("SELECT", "PRAGMA", "SHOW")
#: A revision that fills a table can run millions of statements; the first ones tell where it was.
_KEPT = 100


class Journal:
    """Keeps the statements of the running revision apart: committed, and not yet committed."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._being_committed: list[str] = []
        self._committed: list[str] = []

    def begin_revision(self) -> None:
        """Forget the statements of the revision before."""
        self._open, self._being_committed, self._committed = [], [], []

    def committed(self, *, transactional_ddl: bool) -> list[str]:
        """Return the statements of the running revision that a rollback does not undo.

        Without transactional DDL, each statement that ran counts.
        """
        return self._committed if transactional_ddl else self._committed + self._open

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Listen to every engine of this process, since a foreign `env.py` makes its own."""
        listeners: dict[str, Callable[..., None]] = {
            "after_cursor_execute": self._executed,
            "begin": self._confirm_commit,
            "commit": self._commit,
            "rollback": self._rollback,
        }
        for name, listener in listeners.items():
            event.listen(Engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(Engine, name, listener)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        self._confirm_commit(connection)
        if statement.lstrip().upper().startswith(_READS):
            return
        autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        kept = self._committed if autocommit else self._open
        if len(kept) < _KEPT:
            kept.append(" ".join(statement.split()))

    def _commit(self, connection: Connection) -> None:
        # SQLAlchemy tells this before the COMMIT, which may still fail.
        self._being_committed, self._open = self._open, []

    def _confirm_commit(self, connection: Connection) -> None:
        self._committed += self._being_committed
        self._being_committed = []

    def _rollback(self, connection: Connection) -> None:
        self._open = []
        self._being_committed = []

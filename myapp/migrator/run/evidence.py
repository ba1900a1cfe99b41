"""The evidence of one run: a witness for each connection, asked when a revision fails."""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import ExceptionContext
from sqlalchemy.engine import Connection

from ..database.blockers import OwnSession
from ..database.listening import INTERNAL, listening
from ..database.transactions import rows_of
from .file_witness import FileWitness
from .journal import Journal
from .other_connections import Others
from .session_witness import SessionWitness
from .witness import Status, Witness, status_of

CommittedSince = Callable[[int, int], int | None]


class Evidence:
    """Knows whether the running revision may have left something that no rollback undoes.

    If several revisions share a transaction, the answer is about all of them.
    """

    _has_begun: bool  # the revision's function has been called
    _in_function: bool  # and has not returned
    _has_raised: bool
    _is_running: bool  # nor what Alembic does around it
    _shares_transaction: bool
    _left_before: bool

    def __init__(self, committed_since: CommittedSince, *, is_pooled: bool) -> None:
        """`committed_since` and `is_pooled` are `SessionWitness`'s."""
        self._committed_since = committed_since
        self._is_pooled = is_pooled
        self._others = Others()
        self._journal = Journal()
        self._witnesses: dict[Connection, Witness] = {}
        self._start()

    def committed(self, recorded: Collection[str] = ()) -> tuple[list[str], int]:
        """Return the first statements that are known to be committed, and how many more there are.

        Statements of the `recorded` revisions are left out, since they should stay.
        """
        return self._journal.committed.told(recorded)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record one pass through `env.py`."""
        self._keep_only(None)
        self._journal.begin_revision()
        self._start()
        with ExitStack() as stack:
            stack.enter_context(self._others.listening())
            stack.enter_context(
                listening(
                    begin=self._begun,
                    commit=self._committing,
                    rollback=self._rolling_back,
                    set_connection_execution_options=self._options_changed,
                    before_cursor_execute=self._executing,
                    after_cursor_execute=self._executed,
                    handle_error=self._failed,
                )
            )
            yield

    @property
    def shares_transaction(self) -> bool:
        """Whether revisions that have run will be committed together with the next ones."""
        return self._shares_transaction

    def forget(self, connection: Connection) -> None:
        """Take note that the run itself has used a transaction of `connection`."""
        if witness := self._witnesses.pop(connection, None):
            witness.close()

    def begin_revision(
        self, revision: str, connection: Connection, *, transactional_ddl: bool
    ) -> None:
        """Take note that the revision with this id is about to begin on `connection`."""
        # If `env.py` tries again by itself, the last revision has not ended.
        self._left_before = self._left_before or (self._is_running and not self.left_nothing())
        self._journal.begin_run(transactional_ddl=transactional_ddl)
        self._in_function, self._is_running = False, True
        # Those of another database may have been committed when they were all done.
        self._shares_transaction &= any(each.in_transaction() for each in self._witnesses)
        if not self._shares_transaction:
            self._has_begun = self._has_raised = False
            self._journal.begin_revision()
            self._others.begin_revision()
            self._keep_only(connection)
        else:
            self._others.go_on()
        self._journal.revision = revision
        if not self._shares_transaction or connection not in self._witnesses:
            if connection not in self._witnesses:
                self._witnesses[connection] = self._new(connection)
            self._witnesses[connection].begin_revision(connection)

    def observed(self, function: Callable[..., None]) -> Callable[..., None]:
        """Return a revision's `function`, wrapped so that its begin and end are noted."""

        def run(*args: Any, **kwargs: Any) -> None:
            self._in_function = self._has_begun = True
            try:
                function(*args, **kwargs)
            except BaseException:
                self._has_raised = True
                for connection, witness in self._witnesses.items():
                    witness.raised(connection)
                raise
            self._in_function = False

        return run

    def end_revision(self, connection: Connection) -> None:
        """Take note that the revision is committed, or waits to be committed with the next ones."""
        self._is_running = False
        self._shares_transaction = connection.in_transaction()
        self._others.end_revision()
        if not self._shares_transaction:
            for witness in self._witnesses.values():
                witness.end_revision()

    def left_nothing(self, *, is_up: bool = True) -> bool:
        """Tell whether it is proven that the failed revision has left nothing.

        `is_up` says whether the database answers on another connection.
        """
        if self._left_before:
            return False
        if not self._has_begun:
            return True
        self._journal.confirm_commit()
        if self._others.were_used(files=self._files):
            return False
        return all(each.left_nothing(is_up=is_up) for each in self._witnesses.values())

    @property
    def why(self) -> str:
        """Why the revision may have left something."""
        if self._left_before:
            return "env.py has tried it before, and that try may have left something"
        if self._others.were_used(files=self._files):
            return "it used another connection, or started a program, whose work isn't known"
        witnesses = self._witnesses.values()
        return next((each.why for each in witnesses if not each.left_nothing(is_up=False)), "")

    def sessions(self) -> set[OwnSession]:
        """Return the sessions of PostgreSQL that this process has open."""
        return self._others.sessions()

    @property
    def has_opened_its_file_twice(self) -> bool:
        """Whether the revision has opened the SQLite file once more by itself."""
        return bool(self._others.files & self._files)

    def ask(self, connection: Connection, query: str) -> list[Any]:
        """Return the rows of a `query` on `connection`, and don't take it for the revision's own.

        None are returned where the session's transaction has failed.
        """
        if status_of(connection) in (Status.FAILED, Status.LOST):
            return []
        if connection in self._witnesses:
            self._witnesses[connection].ask_aside(connection)
        return rows_of(connection, query)

    @property
    def _files(self) -> frozenset[str]:
        return frozenset().union(*(witness.files for witness in self._witnesses.values()))

    def close(self) -> None:
        """Free what the witnesses hold."""
        self._keep_only(None)

    def _start(self) -> None:
        self._has_begun = self._in_function = self._has_raised = self._is_running = False
        self._shares_transaction = self._left_before = False

    def _keep_only(self, connection: Connection | None) -> None:
        for each in self._witnesses.keys() - {connection}:
            self._witnesses.pop(each).close()

    def _new(self, connection: Connection) -> Witness:
        if connection.dialect.name == "postgresql":
            return SessionWitness(self._committed_since, is_pooled=self._is_pooled)
        # Two SQLite libraries in one process break each other's locks, so only connections of
        # Python's own library are asked.
        driver = connection.connection.driver_connection
        is_pythons = (
            isinstance(driver, sqlite3.Connection) or connection.dialect.driver == "aiosqlite"
        )
        is_sqlite = connection.dialect.name == "sqlite"
        return FileWitness() if is_sqlite and is_pythons else Witness()

    def _witness(self, connection: Connection) -> Witness | None:
        """Return the witness of a connection. One that has none can't be checked."""
        witness = self._witnesses.get(connection)
        if witness is None and connection.dialect.name != "sqlite":
            self._others.use()
        return witness

    def _begun(self, connection: Connection) -> None:
        self._journal.confirm_commit()
        if not self._is_running and connection in self._witnesses:
            self._shares_transaction = False  # the one that was shared has ended
        if witness := self._witness(connection):
            witness.begin(connection)

    def _committing(self, connection: Connection) -> None:
        self._journal.commit()
        if witness := self._witness(connection):
            witness.commit(connection, in_function=self._in_function)

    def _rolling_back(self, connection: Connection) -> None:
        self._journal.rollback()
        if witness := self._witness(connection):
            witness.rollback(connection, has_raised=self._has_raised)

    def _options_changed(self, connection: Connection, options: dict[str, Any]) -> None:
        if "isolation_level" in options and (witness := self._witness(connection)):
            witness.change_isolation(connection)

    def _executing(self, connection: Connection, *_: Any) -> None:
        if witness := self._witness(connection):
            witness.execute(connection)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        self._journal.executed(connection, cursor, statement if self._in_function else "")
        if witness := self._witness(connection):
            witness.executed(connection, cursor, statement)

    def _failed(self, context: ExceptionContext) -> None:
        connection = context.connection
        if connection is None or connection.get_execution_options().get(INTERNAL):
            return
        if witness := self._witness(connection):
            witness.failed(connection, context.original_exception)

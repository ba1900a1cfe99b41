"""The evidence of one run: a witness for each connection, asked when a revision fails."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import ExceptionContext
from sqlalchemy.engine import Connection

from ..listening import INTERNAL, listening
from .journal import Journal
from .others import Others
from .postgresql import SessionWitness
from .sqlite import FileWitness
from .witness import Witness

CommittedSince = Callable[[int, int], int | None]


class Evidence:
    """Knows whether the running revision may have left something that no rollback undoes.

    Where several revisions share a transaction, the question is asked for all of them.
    """

    def __init__(self, committed_since: CommittedSince, *, is_pooled: bool) -> None:
        """`committed_since` and `is_pooled` are `SessionWitness`'s."""
        self._committed_since = committed_since
        self._is_pooled = is_pooled
        self._others = Others()
        self._journal = Journal()
        self._witnesses: dict[Connection, Witness] = {}
        self._connection: Connection | None = None
        self._seen: list[Any] = []
        self._has_begun = self._in_function = self._shares_transaction = False

    @property
    def committed(self) -> list[str]:
        """The first of the statements that are known to have been committed."""
        return self._journal.committed.shown

    @property
    def more_committed(self) -> int:
        """How many statements more are known to have been committed."""
        return self._journal.committed.more

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record one pass through `env.py`."""
        self._keep_only(None)
        self._journal.begin_revision()
        self._has_begun = self._in_function = self._shares_transaction = False
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

    def begin_revision(self, connection: Connection, *, transactional_ddl: bool) -> None:
        """Hear that a revision is about to begin on `connection`."""
        self._journal.begin_run(transactional_ddl=transactional_ddl)
        self._in_function = False
        self._connection = connection
        if not self._shares_transaction:
            self._has_begun = False
            self._journal.begin_revision()
            self._others.begin_revision()
            self._keep_only(connection)
        if not self._shares_transaction or connection not in self._witnesses:
            self._begin(connection)

    def watched(self, function: Callable[..., None]) -> Callable[..., None]:
        """Return a revision's `function`, so that it is known whether it is at work."""

        def run(*args: Any, **kwargs: Any) -> None:
            self._in_function = self._has_begun = True
            function(*args, **kwargs)
            self._in_function = False

        return run

    def end_revision(self, connection: Connection) -> None:
        """Hear that Alembic has gone on: the revision is committed, or waits for the next ones."""
        self._shares_transaction = connection.in_transaction()
        if not self._shares_transaction:
            for witness in self._witnesses.values():
                witness.end_revision()

    def left_nothing(self, *, is_up: bool = True) -> bool:
        """Tell whether it is proven that the revision which failed has left nothing.

        `is_up` is whether the database can be asked on another connection.
        """
        if not self._has_begun:
            return True
        self._journal.confirm_commit()
        if self._others.were_used(known=self._seen, files=self._files):
            return False
        return all(each.left_nothing(is_up=is_up) for each in self._witnesses.values())

    @property
    def why(self) -> str:
        """Why the revision may have left something."""
        if self._others.were_used(known=self._seen, files=self._files):
            return "it opened another connection, or started a program, whose work isn't known"
        for connection, witness in self._witnesses.items():
            if not witness.left_nothing(is_up=False):
                is_own = connection is self._connection
                return witness.why if is_own else "it has committed through another connection"
        return ""

    @property
    def _files(self) -> set[str]:
        return {path for witness in self._witnesses.values() for path in witness.files}

    def close(self) -> None:
        """Free what the witnesses hold."""
        self._keep_only(None)

    def _keep_only(self, connection: Connection | None) -> None:
        for each in self._witnesses.keys() - {connection}:
            self._witnesses.pop(each).close()
        self._seen.clear()

    def _begin(self, connection: Connection) -> Witness:
        witness = self._witnesses.get(connection)
        if witness is None:
            witness = self._witnesses[connection] = self._new(connection)
        witness.begin_revision(connection)
        self._seen.append(connection.connection.driver_connection)
        return witness

    def _new(self, connection: Connection) -> Witness:
        if connection.dialect.name == "postgresql":
            return SessionWitness(self._committed_since, is_pooled=self._is_pooled)
        return FileWitness() if connection.dialect.name == "sqlite" else Witness()

    def _witness(self, connection: Connection) -> Witness | None:
        """Return the witness of a connection, a new one where a revision has opened it."""
        if connection not in self._witnesses and self._in_function:
            return self._begin(connection)
        return self._witnesses.get(connection)

    def _begun(self, connection: Connection) -> None:
        self._journal.confirm_commit()
        if witness := self._witness(connection):
            witness.begin(connection)

    def _committing(self, connection: Connection) -> None:
        self._journal.commit()
        if witness := self._witness(connection):
            witness.commit(connection, in_function=self._in_function)

    def _rolling_back(self, connection: Connection) -> None:
        self._journal.rollback()
        if witness := self._witness(connection):
            witness.rollback(connection)

    def _options_changed(self, connection: Connection, options: dict[str, Any]) -> None:
        if "isolation_level" in options and (witness := self._witness(connection)):
            witness.change_isolation(connection)

    def _executing(self, connection: Connection, *_: Any) -> None:
        if witness := self._witness(connection):
            witness.execute(connection)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        self._journal.executed(connection, cursor, statement)
        if witness := self._witness(connection):
            witness.executed(connection, cursor, statement)

    def _failed(self, context: ExceptionContext) -> None:
        connection = context.connection
        if connection is None or connection.get_execution_options().get(INTERNAL):
            return
        if witness := self._witness(connection):
            witness.failed(connection, context.original_exception)

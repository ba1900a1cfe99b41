"""PostgreSQL: what one revision SETs is not there for the next one.

A session keeps what a revision SETs, RESETs or switches to: its path, its role, its timeouts. So
the state before the first revision is remembered, with all that `env.py` has set, and brought back
when a revision's function has returned: before its row is written, and in the same transaction.

Few settings are looked at after each revision, since that costs a round trip. Those are what a row
is written with, and what the first lines of a dump change. All are compared where one of these
differs, or where the text of a statement has a word that changes settings.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..base.quoting import escape_literal
from ..database.listening import listening
from ..lock.session_settings import OF_A_RUN
from .lock_waits import forget_lifted
from .witness import Status, status_of

#: The names under which PostgreSQL has a session's identity. `pg_settings` doesn't list them.
_IDENTITY = ("session_authorization", "role")
_LOOKED_AT = (
    *_IDENTITY,
    "search_path",
    "session_replication_role",
    "default_transaction_read_only",
    "row_security",
)
_TIMEOUTS = ("lock_timeout", "statement_timeout")
#: All that a session may set, except what is a transaction's, and `temp_buffers`, which can't be
#: set any more once a temporary table was used.
_SETTINGS = (
    "SELECT name, pg_catalog.current_setting(name), reset_val FROM pg_catalog.pg_settings"
    " WHERE context IN ('user', 'superuser') AND name NOT IN ('temp_buffers',"
    " 'transaction_isolation', 'transaction_read_only', 'transaction_deferrable')"
)
_CHANGES = re.compile(r"\b(?:SET|RESET|DISCARD)\b|set_config", re.IGNORECASE)
_LEFT = "migrate_session_state"


class SessionState:
    """The state of one session before a revision, and the way back to it."""

    def __init__(self, *, is_pooled: bool) -> None:
        """With `is_pooled`, each transaction may run in another session.

        The run's own settings are then set in each transaction, and the session has others.
        """
        self._is_pooled = is_pooled
        names = _LOOKED_AT if is_pooled else _LOOKED_AT + _TIMEOUTS
        listed = ", ".join(f"pg_catalog.current_setting('{name}')" for name in names)
        self._look = f"SELECT pg_catalog.concat_ws('|', {listed})"
        self._seen: str | None = None
        self._back: list[str] = []
        self._is_suspect = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look within for statements that may change the session."""
        with listening(before_cursor_execute=self._executing):
            yield

    def remember(self, connection: Connection) -> bool:
        """Remember the state of `connection` before its first revision.

        Returns whether the session has used a transaction of its own for that. A revision may want
        to set the isolation level, which only the first statement of a transaction can.
        """
        status = status_of(connection)
        self._seen = None
        if connection.dialect.name != "postgresql" or status in (Status.FAILED, Status.LOST):
            return False
        (seen,) = _rows(connection, self._look)[0]
        who, role = _rows(connection, f"SELECT {', '.join(map(_current, _IDENTITY))}")[0]
        settings = {
            name: own if self._is_pooled and name in OF_A_RUN else value
            for name, value, own in _rows(connection, _SETTINGS)
        }
        if status is Status.IDLE:
            connection.connection.rollback()
        # As the session's own user, who may set what another role may not.
        self._back = [_set({"session_authorization": who}), _set({"role": "none"})]
        self._back += [_set(settings), _set({"role": role})]
        self._seen = seen
        connection.info[_LEFT] = self
        return status is Status.IDLE

    def restoring(
        self, connection: Connection, function: Callable[..., None]
    ) -> Callable[..., None]:
        """Return a revision's `function`, after which the session is as it was remembered."""

        def run(*args: Any, **kwargs: Any) -> None:
            self._is_suspect = False
            function(*args, **kwargs)
            self._restore(connection)

        return run

    def end(self, connection: Connection) -> None:
        """Take note that the last revision has ended, and left nothing in its session."""
        if not connection.invalidated:
            connection.info.pop(_LEFT, None)

    def _restore(self, connection: Connection) -> None:
        if self._seen is None or status_of(connection) in (Status.FAILED, Status.LOST):
            return
        if self._is_suspect or _rows(connection, self._look)[0][0] != self._seen:
            self.bring_back(connection)

    def bring_back(self, connection: Connection) -> None:
        """Set the session to what was remembered."""
        for statement in self._back:
            _rows(connection, statement)
        forget_lifted(connection)

    def _executing(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        self._is_suspect = self._is_suspect or bool(_CHANGES.search(statement))


def restore_left(connection: Connection) -> None:
    """Bring a session back that a failed revision has changed outside its transaction.

    A pool gives the connection to the next try.
    """
    state: SessionState | None = connection.info.pop(_LEFT, None)
    if state:
        state.bring_back(connection)
        connection.connection.commit()


def _current(name: str) -> str:
    return f"pg_catalog.current_setting('{name}')"


def _set(settings: dict[str, str]) -> str:
    """Return the SQL that sets those of `settings` that differ, whatever the path is now."""
    names, values = (", ".join(map(escape_literal, each)) for each in (settings, settings.values()))
    return (
        "SELECT pg_catalog.set_config(name, wanted, false)"  # noqa: S608 - quoted
        f" FROM unnest(ARRAY[{names}], ARRAY[{values}]) AS setting (name, wanted)"
        " WHERE pg_catalog.current_setting(name) OPERATOR(pg_catalog.<>) wanted"
    )


def _rows(connection: Connection, statement: str) -> list[Any]:
    """Run a query past SQLAlchemy, so that nobody who listens takes it for the revision's."""
    try:
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall()
    except connection.dialect.loaded_dbapi.Error as error:
        is_lost = connection.dialect.is_disconnect(error, connection.connection, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError(statement, None, error, connection_invalidated=is_lost) from error
    return list(rows)

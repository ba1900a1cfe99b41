"""PostgreSQL: how long each statement waits for a lock.

All who come after a session that waits for a strong lock, such as ALTER TABLE's, wait behind it. So
such a wait is short. A statement that keeps nobody waiting may wait for as long as it takes: where
CREATE INDEX CONCURRENTLY is cut short, it leaves an invalid index.
"""

import re
from typing import Any

from sqlalchemy.engine import Connection

from ..database.listening import OF_THE_RUN
from ..database.transactions import is_autocommit
from .witness import Status, status_of

_BEGIN = r"\A(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_HARMLESS = re.compile(
    _BEGIN + r"(?:(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REFRESH\s+MATERIALIZED\s+VIEW"
    r"|REINDEX\s+(?:\([^;)]*\)\s*)?(?:INDEX|TABLE|SCHEMA|DATABASE))\s+CONCURRENTLY\s[^;]*"
    r"|REINDEX\s+\([^;)]*\bCONCURRENTLY\s*[,)][^;]*"
    rf"|ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}(?:\.{_NAME})?\s+(?:"
    rf"VALIDATE\s+CONSTRAINT\s+{_NAME}"
    rf"|DETACH\s+PARTITION\s+{_NAME}(?:\.{_NAME})?\s+CONCURRENTLY)\s*)[;\s]*\Z",
    re.IGNORECASE | re.DOTALL,
)
# Outside a transaction these wait for rows, or for other maintenance. Nothing is tried again there
# once something was committed.
_OF_ROWS = re.compile(
    _BEGIN
    + r"(?:ANALYZE|CALL|COPY|DELETE|INSERT|MERGE|SELECT|UPDATE|WITH|VACUUM(?![^;]*\bFULL\b))\b",
    re.IGNORECASE | re.DOTALL,
)
_LIFTED = "migrate_lifted_lock_timeout"


class LockWaits:
    """Lifts the run's `lock_timeout` for statements that keep nobody waiting."""

    def __init__(self, milliseconds: str) -> None:
        """`milliseconds` is the session's `lock_timeout`."""
        self._usual = milliseconds
        self._is_asking = False

    def executing(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        """Lift the timeout for `statement`, if it is the run's and not the revision's own."""
        if self._is_asking or connection.dialect.name != "postgresql":
            return
        self.executed(connection)
        is_alone = is_autocommit(connection)
        waits_alone = _waits_alone(statement, is_alone=is_alone)
        if not waits_alone or status_of(connection) is Status.FAILED:
            return
        if self._run(connection, "SHOW lock_timeout") == f"{self._usual}ms":
            scope = "" if is_alone else "LOCAL "
            self._run(connection, f"SET {scope}lock_timeout = 0")
            connection.info[_LIFTED] = scope

    def executed(self, connection: Connection, *_: Any) -> None:
        """Set the timeout again, after a statement, or before the next one if it failed."""
        if self._is_asking or _LIFTED not in connection.info:
            return
        if status_of(connection) is Status.FAILED:
            return
        scope = connection.info.pop(_LIFTED)
        if self._run(connection, "SHOW lock_timeout") == "0":
            self._run(connection, f"SET {scope}lock_timeout = {self._usual}")

    def rolled_back(self, connection: Connection, *_: Any) -> None:
        """Take note that a transaction, or a part of it, ends as it began, with its timeout."""
        if not connection.invalidated and connection.info.get(_LIFTED):
            forget_lifted(connection)

    def _run(self, connection: Connection, statement: str) -> Any:
        """Run a statement for all to hear, since those who count transactions count it too."""
        self._is_asking = True
        # Other listeners note on the connection what they know of the statement that waits.
        noted = dict(vars(connection))
        try:
            result = connection.exec_driver_sql(statement, execution_options={OF_THE_RUN: True})
            return result.scalar() if result.returns_rows else None
        finally:
            self._is_asking = False
            for name, value in noted.items():
                vars(connection).setdefault(name, value)


def forget_lifted(connection: Connection) -> None:
    """Take note that the session has the run's `lock_timeout` again."""
    connection.info.pop(_LIFTED, None)


def _waits_alone(statement: str, *, is_alone: bool) -> bool:
    return bool(_HARMLESS.match(statement) or (is_alone and _OF_ROWS.match(statement)))

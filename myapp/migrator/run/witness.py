"""What a witness is asked: one for each connection on which a revision works."""

from enum import Enum, auto
from typing import Any

from sqlalchemy.engine import Connection


class Witness:
    """Says whether what ran through one connection is undone; this one can prove nothing.

    It hears of each transaction and statement of its connection, before it happens unless the
    name says otherwise. `in_function` tells whether the revision's own function is at work; if not,
    the transaction is Alembic's, which records the revision in it.
    """

    @property
    def why(self) -> str:
        """Why something may stay, where that is not proven to be otherwise."""
        return "this kind of database doesn't tell what was committed"

    @property
    def files(self) -> frozenset[str]:
        """The files that are watched: what others do to them is known."""
        return frozenset()

    def begin_revision(self, connection: Connection) -> None:
        """Hear that what is asked about begins here."""

    def begin(self, connection: Connection) -> None:
        """Hear of a transaction."""

    def commit(self, connection: Connection, *, in_function: bool) -> None:
        """Hear of a COMMIT."""

    def rollback(self, connection: Connection, *, has_raised: bool) -> None:
        """Hear of a ROLLBACK; with `has_raised`, the revision's function has failed before it."""

    def raised(self, connection: Connection) -> None:
        """Hear that the revision's function has failed, before anything is rolled back."""

    def change_isolation(self, connection: Connection) -> None:
        """Hear that its isolation level changes, for which a driver may end its transaction."""

    def execute(self, connection: Connection) -> None:
        """Hear of a statement."""

    def executed(self, connection: Connection, cursor: Any, statement: str) -> None:
        """Hear that a statement succeeded."""

    def failed(self, connection: Connection, error: BaseException) -> None:
        """Hear that a statement or a COMMIT failed."""

    def end_revision(self) -> None:
        """Hear that a revision was committed, and its row with it."""

    def left_nothing(self, *, is_up: bool) -> bool:
        """Tell whether it is proven that nothing stays; asked after the failure.

        `is_up` is whether the database can be asked on another connection.
        """
        return False

    def close(self) -> None:
        """Free what the witness holds."""


class Status(Enum):
    """Where a session stands, as its driver knows without asking."""

    IDLE = auto()
    OPEN = auto()
    FAILED = auto()
    LOST = auto()
    UNKNOWN = auto()


#: libpq's `PGTransactionStatusType`, under the numbers of psycopg2 and psycopg.
_LIBPQ = {0: Status.IDLE, 1: Status.OPEN, 2: Status.OPEN, 3: Status.FAILED, 4: Status.LOST}


def status_of(connection: Connection) -> Status:
    """Return what the driver of `connection` knows of its transaction: no statement's text."""
    if connection.closed or connection.invalidated:
        return Status.LOST
    driver: Any = connection.connection.driver_connection
    if getattr(driver, "closed", False) or (hasattr(driver, "is_closed") and driver.is_closed()):
        return Status.LOST
    if hasattr(driver, "info") and hasattr(driver.info, "transaction_status"):
        return _LIBPQ.get(int(driver.info.transaction_status), Status.UNKNOWN)
    if hasattr(driver, "is_in_transaction"):  # asyncpg, which doesn't tell a failed one apart
        return Status.OPEN if driver.is_in_transaction() else Status.IDLE
    if hasattr(driver, "in_transaction"):  # sqlite3, aiosqlite
        return Status.OPEN if driver.in_transaction else Status.IDLE
    return Status.UNKNOWN

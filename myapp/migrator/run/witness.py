"""A witness of one connection, which knows whether a revision has left something through it."""

from enum import Enum, auto
from typing import Any

from sqlalchemy.engine import Connection


class Witness:
    """Says whether all that ran through one connection is undone. This one can prove nothing.

    Its methods are called before each event, unless the name is in the past tense. `in_function`
    says whether the revision's own function is running. If not, the transaction is Alembic's,
    which records the revision.
    """

    @property
    def why(self) -> str:
        """Why something may stay, if `left_nothing` says so."""
        return "this kind of database doesn't tell what was committed"

    @property
    def files(self) -> frozenset[str]:
        """The files that this witness watches, so that other connections may use them."""
        return frozenset()

    def begin_revision(self, connection: Connection) -> None:
        """Begin: the answer is about what happens from now on."""

    def begin(self, connection: Connection) -> None:
        """Take note of a new transaction."""

    def commit(self, connection: Connection, *, in_function: bool) -> None:
        """Take note of a COMMIT."""

    def rollback(self, connection: Connection, *, has_raised: bool) -> None:
        """Take note of a ROLLBACK. `has_raised` says whether the revision's function has failed."""

    def raised(self, connection: Connection) -> None:
        """Take note that the revision's function has failed, and nothing is rolled back yet."""

    def change_isolation(self, connection: Connection) -> None:
        """Take note of a new isolation level. A driver may end its transaction for it."""

    def ask_aside(self, connection: Connection) -> None:
        """Take note of a query of this package."""

    def execute(self, connection: Connection) -> None:
        """Take note of a statement."""

    def executed(self, connection: Connection, cursor: Any, statement: str) -> None:
        """Take note that a statement succeeded."""

    def failed(self, connection: Connection, error: BaseException) -> None:
        """Take note that a statement or a COMMIT failed."""

    def end_revision(self) -> None:
        """Take note that a revision was committed, and its row with it."""

    def left_nothing(self, *, is_up: bool) -> bool:
        """Tell, after the failure, whether it is proven that nothing stays.

        `is_up` says whether the database answers on another connection.
        """
        return False

    def close(self) -> None:
        """Free what the witness holds."""


class Status(Enum):
    """The state of a session's transaction, as far as its driver knows without asking."""

    IDLE = auto()
    OPEN = auto()
    FAILED = auto()
    LOST = auto()
    UNKNOWN = auto()


#: libpq's `PGTransactionStatusType`, under the numbers of psycopg2 and psycopg.
_LIBPQ = {0: Status.IDLE, 1: Status.OPEN, 2: Status.OPEN, 3: Status.FAILED, 4: Status.LOST}


def status_of(connection: Connection) -> Status:
    """Return what the driver of `connection` knows of its transaction."""
    if connection.closed or connection.invalidated:
        return Status.LOST
    driver: Any = connection.connection.driver_connection
    if getattr(driver, "closed", False) or (hasattr(driver, "is_closed") and driver.is_closed()):
        return Status.LOST
    if hasattr(driver, "info") and hasattr(driver.info, "transaction_status"):
        return _LIBPQ.get(int(driver.info.transaction_status), Status.UNKNOWN)
    if hasattr(driver, "is_in_transaction"):  # asyncpg, which shows a failed one as open
        return Status.OPEN if driver.is_in_transaction() else Status.IDLE
    if hasattr(driver, "in_transaction"):  # sqlite3, aiosqlite
        return Status.OPEN if driver.in_transaction else Status.IDLE
    return Status.UNKNOWN

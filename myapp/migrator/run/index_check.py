"""Invalid indexes: told before and after a run, and never taken for what a revision builds."""

from collections.abc import Iterable

from sqlalchemy.engine import Connection

from ..base.errors import MigrationFailed
from ..base.watcher import Watcher
from ..database.invalid_indexes import InvalidIndex, in_the_way
from ..settings.redaction import redacted
from .evidence import Evidence
from .observer import Observer

_SHOWN = 5


class IndexInTheWay(MigrationFailed):
    """A revision would create an index under the name of an invalid one."""

    def __init__(self, message: str, *, hint: str | None, statement: str) -> None:
        super().__init__(message, hint=hint)
        #: The statement that was not run.
        self.statement = statement


class IndexCheck:
    """Knows the invalid indexes before the run, and those that are in a revision's way."""

    def __init__(self, observer: Observer, evidence: Evidence, watcher: Watcher) -> None:
        self._observer = observer
        self._evidence = evidence
        self._watcher = watcher
        self._before = observer.invalid_indexes()
        self.in_the_way: set[InvalidIndex] = set()

    def left(self) -> list[InvalidIndex] | None:
        """Return the invalid indexes that the run has left, or that were in its way.

        None where that isn't known.
        """
        now = self._observer.invalid_indexes()
        if now is None or self._before is None:
            return sorted(self.in_the_way) or None
        return sorted((now - self._before) | self.in_the_way)

    def tell_before(self) -> None:
        """Tell of the indexes that are invalid before the run."""
        self._tell("is invalid, so that no query uses it", self._before or ())

    def tell_after(self, *, has_failed: bool = False) -> None:
        """Tell of those that the run has left invalid, and of those that it has not mended.

        The error of a run that `has_failed` tells of the former, and of what was in the way.
        """
        after = self._observer.invalid_indexes()
        if after is None or self._before is None:
            return
        if has_failed:
            after -= self.in_the_way
        else:
            left = "was left invalid by this run, so that no query uses it"
            self._tell(left, after - self._before)
        self._tell("is still invalid", after & self._before)

    def require_buildable(self, connection: Connection, statement: str) -> None:
        """Raise IndexInTheWay if `statement` would create an index where an invalid one stands.

        PostgreSQL refuses that, or with IF NOT EXISTS takes the invalid one for it.
        """
        if connection.dialect.name != "postgresql":
            return
        index = in_the_way(statement, lambda query: self._evidence.ask(connection, query))
        if index is None:
            return
        shown = " ".join(redacted(statement).split())
        shown = f" (in: {shown[:150]}{'...' if len(shown) > 150 else ''})"
        if index.is_in_work:
            raise IndexInTheWay(
                f"{index}, which it creates, is being built or dropped by another session{shown}",
                hint="wait until the other session has ended",
                statement=statement,
            )
        self.in_the_way.add(index)
        raise IndexInTheWay(
            f"{index}, which it creates, is there already, and invalid{shown}",
            hint=None,
            statement=statement,
        )

    def _tell(self, what: str, indexes: Iterable[InvalidIndex]) -> None:
        found = sorted(indexes)
        for index in found[:_SHOWN]:
            self._watcher.notice(f"{index} {what}: {index.cure}")
        if more := found[_SHOWN:]:
            names = ", ".join(index.name for index in more)
            self._watcher.notice(f"{len(more)} more like that: {names}")

"""The version table's row, which one statement for all revisions moves on.

Alembic writes the revisions' ids into the statement, so SQLAlchemy has another one to compile for
each: a quarter of what a small revision costs. The same SQL comes out of one that is compiled once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, Update, bindparam

from .listening import listening

_FROM, _TO = "migrate_from", "migrate_to"


class VersionRow:
    """Takes the place of the statement that Alembic runs when a step is done."""

    def __init__(self) -> None:
        self._move: tuple[str, str] | None = None
        self._statements: dict[Table, Update] = {}

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Replace the statements within; where none comes as expected, Alembic's own runs."""
        with listening(before_execute=self._replace):
            yield

    def expect(self, move: tuple[str, str]) -> None:
        """Take the next UPDATE for Alembic's, which moves the row on as `move` says."""
        self._move = move

    def _replace(
        self, connection: Connection, element: Any, multiparams: Any, params: Any, options: Any
    ) -> tuple[Any, Any, Any]:
        move, self._move = self._move, None
        if move is None or not isinstance(element, Update) or not isinstance(element.table, Table):
            return element, multiparams, params
        return self._statement(element.table), [], {_FROM: move[0], _TO: move[1]}

    def _statement(self, table: Table) -> Update:
        if table not in self._statements:
            row = table.c.version_num
            self._statements[table] = (
                table.update()
                .values({row: bindparam(_TO, literal_execute=True)})
                .where(row == bindparam(_FROM, literal_execute=True))
            )
        return self._statements[table]

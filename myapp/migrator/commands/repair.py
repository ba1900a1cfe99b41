"""Mend the version table: what is wrong with its rows and its column, and never a revision."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, column, table

from ..base.errors import SettingsError, UsageError
from ..base.repairs import Repair, RowRepair, TableRepair
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.version_column import version_column, widen
from ..bridge.version_facts import HOW_TO_TELL, mendable, table_name
from ..bridge.version_row import RowNotKept
from ..bridge.version_table import examine, missing_file
from ..database.odd_rows import shown
from ..revisions.answers import naming_table
from ..revisions.history import History, standing
from ..run.outcome import interruptible
from ..run.recording import not_committed
from ..run.writing import writing


def repair(context: RunContext, agrees: Callable[[Repair], bool]) -> Repair:
    """Mend each version table that `env.py` opens, if `agrees` returns True for what that takes.

    What a row of an unknown revision should be isn't known: nothing is written then.

    Raises UsageError when it doesn't agree, or the table has changed meanwhile, DatabaseAhead,
    SettingsError when no row says where the database stands, or what `stamp` raises.
    """
    with shared_engine(context):
        history = load_history(context)
        planned, history = _planned(context, history)
        if not planned.is_needed:
            return planned
        if not agrees(planned):
            raise UsageError(
                "Nothing was changed: nobody has agreed to it.",
                hint="`{cmd} repair --yes` writes it without a question.",
            )
        with interruptible(context, history), writing(context):
            _write(context, history, planned)
            left, _ = _planned(context, history, has_run=True)
            if left.is_needed:
                rows = [row for each in left.tables for row in each.before if row]
                raise not_committed(f"the database stands at {standing(history, rows)}.", rows)
    return planned


def _planned(
    context: RunContext, history: ScriptHistory, *, has_run: bool = False
) -> tuple[Repair, ScriptHistory]:
    """Return what has to be written now, and the history of the files that `env.py` names."""

    def take(rows: Sequence[Any], found: MigrationContext) -> _Found | None:
        return None if missing_file(found) else _Found(rows, found)

    try:
        each = examine(context, history.script, take, has_run=has_run)
    finally:
        # A server may have no connection to spare for the lock.
        if made := context.database.engine:
            made.dispose()
    history = settled(context, history)
    return Repair(tuple(found.plan(history) for found in each if found)), history


class _Found:
    """A version table as it is."""

    def __init__(self, rows: Sequence[Any], migration_context: MigrationContext) -> None:
        mendable(rows, migration_context)
        self._table = table_name(migration_context)
        self._column = version_column(migration_context)
        self._is_padded = bool(self._column and self._column.is_padded)
        self._rows = tuple(
            row.rstrip(" ") if row is not None and self._is_padded else row for row in rows
        )

    def plan(self, history: History) -> TableRepair:
        """Return what has to be written, so that it says the same in good order."""
        ids = tuple(dict.fromkeys(filter(None, (row and row.strip() for row in self._rows))))
        with naming_table(self._table):
            history.require_known(ids)
        if self._rows and not ids:
            raise SettingsError(
                f"The version table {self._table} holds nothing but"
                f" {' and '.join(sorted(set(map(shown, self._rows))))}, so where the"
                " database stands can't be told.",
                hint=HOW_TO_TELL,
            )
        after = history.foremost(ids)
        return TableRepair(
            self._table,
            self._rows,
            after,
            tuple(_faults(history, self._rows, after)),
            self._widths(max([history.longest, *map(len, ids)])),
            self._is_padded,
        )

    def _widths(self, longest: int) -> tuple[int, int] | None:
        room = self._column.width if self._column else longest
        return (room, max(room, longest)) if room < longest or self._is_padded else None


def _faults(
    history: History, rows: Sequence[str | None], after: Sequence[str]
) -> Iterator[RowRepair]:
    for row, count in Counter(rows).items():
        id_ = row and row.strip()
        if not id_:
            yield RowRepair(row, "null" if row is None else "empty")
        elif id_ not in after:
            by = next(each for each in after if id_ in history.applied([each]))
            yield RowRepair(row, "implied", by)
        elif row != id_:
            yield RowRepair(row, "blanks", id_)
        elif count > 1:
            yield RowRepair(row, "twice", id_)


def _write(context: RunContext, history: ScriptHistory, planned: Repair) -> None:
    """Write what is `planned`, each table in one transaction."""
    left = list(planned.tables)

    def mend(environment: EnvironmentContext) -> None:
        migration_context = environment.get_context()
        connection = migration_context.connection
        assert connection is not None  # noqa: S101 - only `--sql` has none, and doesn't come here
        if connection.in_transaction():  # env.py's, which commits it
            _mend(migration_context, connection, history, left)
        else:
            with connection.begin():
                _mend(migration_context, connection, history, left)

    with told_as_errors():
        run_env(context, history.script, lambda rows, _: [], mend, dont_mutate=True)


def _mend(
    migration_context: MigrationContext,
    connection: Connection,
    history: History,
    left: list[TableRepair],
) -> None:
    rows = migration_context.get_current_heads()
    found = _Found(rows, migration_context).plan(history)
    if not left or found != left.pop(0):
        raise UsageError(
            f"The version table {found.table} has changed meanwhile. Nothing was written to it.",
            hint="look at it again with `{cmd} repair`.",
        )
    name, schema = migration_context.version_table, migration_context.version_table_schema
    if found.widths:
        widen(migration_context, *found.widths)
    versions = table(name, column("version_num"), schema=schema)
    for each in found.rows:
        connection.execute(versions.delete().where(versions.c.version_num == each.row))
    gone = {each.row for each in found.rows}
    for row in found.after:
        if row not in found.before or row in gone:
            connection.execute(versions.insert().values(version_num=row))
    if sorted(migration_context.get_current_heads()) != sorted(found.after):
        raise RowNotKept(found.table)

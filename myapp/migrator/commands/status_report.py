"""Where each database stands, and what the next run meets there."""

import os
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection, Dialect

from ..base.errors import DatabaseUnreachable, MigrateError, SettingsError
from ..base.results import VersionTable
from ..base.status_report import DatabaseReport, LockHolder, StatusReport, Trouble
from ..bridge.connection import opened_url
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.place import shown
from ..bridge.version_row import aside
from ..bridge.version_table import examine, looked_at
from ..database.driver import JOURNAL_SUFFIX, postgresql_name
from ..database.engine import server_version
from ..database.failures import is_unreadable as is_unreadable_table
from ..database.invalid_indexes import InvalidIndex, left_invalid
from ..database.listening import listening
from ..database.rights import lacking_on_file, lacking_on_server
from ..database.url import sqlite_file
from ..database.whole_sql import run_whole
from ..lock.holding import Holder
from ..lock.onlooker import Seen, seen_beside_file, seen_on_server
from ..revisions import answers
from ..revisions.fork import fork
from ..revisions.needs import needs_of, union

_SERVER = "SELECT current_setting('server_version'), pg_is_in_recovery()"


class _Look(NamedTuple):
    """What was asked on the connection to one database; `odd` is what its rows are."""

    table: VersionTable
    odd: MigrateError | None
    server: str
    seconds: float
    is_standby: bool
    seen: Seen
    invalid_indexes: tuple[Trouble, ...]
    lacking: tuple[Trouble, ...]
    unread: tuple[str, ...]


def status_report(context: RunContext) -> StatusReport:
    """Return where each database stands, and what the next run meets there.

    It takes no lock and creates nothing. A database that can't be asked is told of as that.

    Raises SettingsError, HistoryError or EnvPyFailed.
    """
    history = load_history(context, context.reading)
    look = _Looks(context, history)
    unreachable = look.at_all()
    history = settled(context, history)
    databases = [
        DatabaseReport(
            each.table.database,
            each.table.schema,
            each.server,
            each.seconds,
            unreadable=_trouble(each.odd) if each.odd else None,
            exit_code=each.odd.exit_code if each.odd else 0,
            status=None if each.odd else answers.status(history, each.table),
            implied=history.implied(each.table.rows),
            is_standby=each.is_standby,
            holder=_holder(each.seen.holder),
            interrupted=each.seen.interrupted,
            invalid_indexes=each.invalid_indexes,
            lacking=each.lacking,
            unread=each.unread,
        )
        for each in look.found
    ]
    known = [each.status.rows for each in databases if each.status and not each.status.unknown]
    pending = history.pending(known)
    heads = answers.heads_to_join(history)
    return StatusReport(
        answers.heads(history),
        fork(history, heads) if heads else None,
        tuple(map(history.get, reversed(pending))),
        tuple(databases + ([unreachable] if unreachable else [])),
    )


class _Looks:
    """Looks at each database that `env.py` opens, in its order."""

    def __init__(self, context: RunContext, history: ScriptHistory) -> None:
        self._context = context
        self._history = history
        self._began = time.perf_counter()
        self._journals: set[str] = set()
        self.found: list[_Look] = []

    def at_all(self) -> DatabaseReport | None:
        """Look at each, up to one that can't be asked, which is returned."""
        try:
            with listening(do_connect=self._connecting):
                examine(self._context, self._history.script, self._take)
        except (DatabaseUnreachable, SettingsError) as error:
            cause = error.__cause__
            is_unreadable = cause is not None and is_unreadable_table(cause)
            if isinstance(error, SettingsError) and not is_unreadable:
                raise
            # Where others have answered, it is not known which one did not.
            url = None if self.found else opened_url(self._context)
            # A run that writes much keeps everybody from reading an SQLite file.
            path = sqlite_file(url) if url else None
            seen = seen_beside_file(path, has_journal=False) if path else Seen(None)
            return DatabaseReport(
                shown(url) if url else None,
                None,
                None,
                time.perf_counter() - self._began,
                None if is_unreadable else _trouble(error),
                _trouble(error) if is_unreadable else None,
                error.exit_code,
                holder=_holder(seen.holder),
                interrupted=seen.interrupted,
            )
        return None

    def _connecting(self, dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> None:
        """Begin to count the time; SQLite's journal is looked for before SQLite finds it."""
        self._began = time.perf_counter()
        name = str(cargs[0]) if dialect.name == "sqlite" and cargs else ""
        if os.path.exists(os.path.realpath(name) + JOURNAL_SUFFIX):
            self._journals.add(os.path.realpath(name))

    def _take(self, rows: Sequence[Any], migration_context: MigrationContext) -> _Look:
        odd = None
        try:
            table = looked_at(self._context, rows, migration_context)
        except SettingsError as error:  # of rows that can't be ids
            table, odd = looked_at(self._context, (), migration_context), error
        seconds = time.perf_counter() - self._began
        with aside(migration_context) as connection:
            look = self._look(connection, table, odd, seconds)
        if table not in [each.table for each in self.found]:
            self.found.append(look)
        return look

    def _look(
        self, connection: Connection, table: VersionTable, odd: MigrateError | None, seconds: float
    ) -> _Look:
        settings = self._context.settings
        seen = Seen(None)
        indexes: frozenset[InvalidIndex] = frozenset()
        is_standby = False
        server = connection.dialect.name
        if server == "postgresql":
            version, is_standby = connection.exec_driver_sql(_SERVER).one()
            server = postgresql_name(version)
            seen = seen_on_server(connection, table.schema, settings)
            indexes = left_invalid(lambda sql: [*connection.exec_driver_sql(sql)])
        elif server == "sqlite":
            server = f"SQLite {sqlite3.sqlite_version}"
            path = sqlite_file(connection.engine.url)
            if path:
                had_one = os.path.realpath(path) in self._journals
                seen = seen_beside_file(path, has_journal=had_one)
        elif version := server_version(connection):
            server = f"{server} {version}"
        invalid = tuple(
            Trouble(str(each), f"{each.cure[0].upper()}{each.cure[1:]}.")
            for each in sorted(indexes)
        )
        lacking, unread = ((), ()) if odd else self._rights(connection, table)
        return _Look(table, odd, server, seconds, is_standby, seen, invalid, lacking, unread)

    def _rights(
        self, connection: Connection, table: VersionTable
    ) -> tuple[tuple[Trouble, ...], tuple[str, ...]]:
        """Return the rights that the role lacks, and the pending revisions that don't say all."""
        history = settled(self._context, self._history)
        pending = [] if history.unknown(table.rows) else history.pending([table.rows])
        if not pending:
            return (), ()
        if connection.dialect.name == "sqlite":
            path = sqlite_file(connection.engine.url)
            return (lacking_on_file(path) if path else ()), ()
        if connection.dialect.name != "postgresql":
            return (), ()
        needs = {id_: needs_of(history.get(id_).path) for id_ in reversed(pending)}
        lacking, may_all = lacking_on_server(
            lambda sql: [tuple(row) for row in run_whole(connection, sql)],
            union(needs.values()),
            table,
        )
        unread = [] if may_all else [id_ for id_, each in needs.items() if not each.is_whole]
        return lacking, tuple(unread)


def _trouble(error: MigrateError) -> Trouble:
    return Trouble(error.message, error.hint or "")


def _holder(holder: Holder | None) -> LockHolder | None:
    if holder is None:
        return None
    return LockHolder(holder.pid, holder.application, holder.host, holder.since, holder.revision)

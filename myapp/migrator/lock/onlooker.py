"""Who holds the lock, asked by somebody who doesn't want it, and what a dead holder has left."""

import os
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import Connection

from ..database.driver import JOURNAL_SUFFIX, LOCK_SUFFIX
from ..settings.settings import Settings
from .advisory import asked_holder, keys
from .holding import Holder
from .sqlite import is_alive, read_named


class Seen(NamedTuple):
    """Who holds the lock, and the traces of runs that did not end, as sentences."""

    holder: Holder | None
    interrupted: tuple[str, ...] = ()


def seen_on_server(connection: Connection, schema: str | None, settings: Settings) -> Seen:
    """Return what the PostgreSQL server of `connection` tells of the lock of a version table."""
    writer, running = keys(schema, settings)
    if found := asked_holder(connection, writer):
        return Seen(found)
    left = asked_holder(connection, running)
    if left is None:
        return Seen(None)
    return Seen(None, (f"a run has lost its lock, and its last statement still runs: {left}",))


def seen_beside_file(database: str, *, has_journal: bool) -> Seen:
    """Return what stands beside the SQLite file `database`.

    `has_journal` says whether SQLite's own journal stood there before the file was read. A reader
    undoes what that holds, unless a writer is alive.
    """
    real = os.path.realpath(database)
    named = read_named(Path(real + LOCK_SUFFIX))
    if named and is_alive(named):
        return Seen(named)
    told = []
    if named:
        where = f" in revision {named.revision}" if named.revision else ""
        told.append(f"a run died{where} and left its lock file, which the next one takes: {named}")
    if has_journal and not os.path.exists(real + JOURNAL_SUFFIX):
        told.append("a transaction was open when its process died; this look has undone it")
    return Seen(None, tuple(told))

"""One writer at a time: the lock that a run holds until it ends.

If the holder dies, the server or the kernel frees the lock.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..base.errors import SettingsError
from ..bridge.connection import opened_url
from ..bridge.context import RunContext
from ..database.url import sqlite_file
from .holding import Lock

__all__ = ["Lock", "writer_lock"]


@contextmanager
def writer_lock(context: RunContext, notice: Callable[[str], None]) -> Iterator[Lock]:
    """Hold the lock on `config`'s database, waiting for it up to `migrate.lock_wait` seconds.

    `notice` is called with a sentence: who holds it, or that this kind of database has no lock.

    Raises LockNotObtained, DatabaseUnreachable, or SettingsError when `migrate.lock_url` is wrong
    or the connection goes through a pooler.
    """
    settings = context.settings
    url = opened_url(context)
    if url is None:
        notice("nothing stops a second run: env.py alone knows the database.")
        yield Lock()
        return
    backend = url.get_backend_name()
    if settings.options.lock_url and backend != "postgresql":
        raise SettingsError(
            f"`migrate.lock_url` is for PostgreSQL, and the database is one of {backend}.",
            hint="take `migrate.lock_url` out of the .ini file.",
        )
    # Each is imported where it is used: together they take a tenth of a small run's memory.
    if backend == "postgresql":
        from .postgresql import advisory_lock

        with advisory_lock(context, url, notice) as lock:
            yield lock
    elif backend == "sqlite" and (path := sqlite_file(url)):
        from .sqlite import file_lock

        with file_lock(path, context.application, settings.options.lock_wait, notice) as lock:
            yield lock
    else:
        if backend != "sqlite":
            notice(f"nothing stops a second run: there is no lock for {backend}.")
        yield Lock()

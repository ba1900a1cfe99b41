"""Notice when a revision opens connections of its own, or starts programs."""

import os
import sqlite3
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import reduce, wraps
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import Pool, event

from ..base.our_own import is_our_own
from ..database.blockers import OwnSession

# Audit events of Python (https://docs.python.org/3/library/audit_events.html).
_PROGRAMS = {"subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.forkpty"}
#: The functions with which libpq's drivers connect. Python has no audit event for them.
_CONNECTING = {"psycopg2": ("connect",), "psycopg": ("connect", "Connection.connect")}

_listeners: "list[Others]" = []


class Others:
    """Knows what this process opens, takes out of a pool or starts while a revision runs."""

    def __init__(self) -> None:
        self._opened: list[weakref.ref[Any]] = []
        self._sessions: list[tuple[weakref.ref[Any], OwnSession]] = []
        self._taken: dict[int, Any] = {}
        self._files: set[str] = set()
        self._is_at_work = self._were_used = False

    def begin_revision(self) -> None:
        """Forget what was opened before and is closed."""
        self._opened = [each for each in self._opened if _is_open(each())]
        self._were_used = bool(self._opened or self._taken)
        self._files.clear()
        self.go_on()

    def go_on(self) -> None:
        """Take note that a revision is about to run, and remember the one before."""
        self._is_at_work = True

    def end_revision(self) -> None:
        """Take note that the revision is done, and its row written. What follows is env.py's."""
        self._is_at_work = False

    def use(self) -> None:
        """Take note that another connection was used."""
        self._were_used |= self._is_at_work

    def were_used(self, *, files: frozenset[str]) -> bool:
        """Tell whether anything else was used than connections to these `files`."""
        return self._were_used or not self._files <= files

    @property
    def files(self) -> frozenset[str]:
        """The SQLite files that were opened since the revision began."""
        return frozenset(self._files)

    def sessions(self) -> set[OwnSession]:
        """Return the sessions of PostgreSQL that are open, also the revision's first."""
        return {session for driver, session in self._sessions if _is_open(driver())}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen within."""
        _install()
        self._opened, self._taken, self._is_at_work = [], {}, False
        _listeners.append(self)
        event.listen(Pool, "checkout", self._checked_out)
        event.listen(Pool, "checkin", self._checked_in)
        try:
            with _libpq_drivers(self._connected):
                yield
        finally:
            event.remove(Pool, "checkout", self._checked_out)
            event.remove(Pool, "checkin", self._checked_in)
            _listeners.remove(self)

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        """Take note of an audit event of Python."""
        if event in _PROGRAMS:
            self.use()
        elif event == "sqlite3.connect" and self._is_at_work:
            self._add_file(os.fsdecode(args[0]))

    def _connected(self, connection: Any) -> None:
        if is_our_own():
            return
        self._add_session(connection)
        if self._is_at_work:
            # A weak reference, so that the garbage collector can still close the connection.
            self._opened.append(weakref.ref(connection))
            self.use()

    def _checked_out(self, connection: Any, record: Any, proxy: Any) -> None:
        if is_our_own():
            return
        self._add_session(record.driver_connection)
        if not self._is_at_work:
            return
        if isinstance(connection, sqlite3.Connection):
            for _, _, path in connection.execute("PRAGMA database_list"):
                self._add_file(path or "")
        else:
            # It belongs to a pool, whose events say when it is in use.
            self._opened = [each for each in self._opened if each() is not connection]
            self._taken[id(record)] = record
            self.use()

    def _checked_in(self, connection: Any, record: Any) -> None:
        self._taken.pop(id(record), None)

    def _add_session(self, driver: Any) -> None:
        """Keep what libpq knows of its session, which another thread must not ask for later."""
        with suppress(Exception):  # it is not libpq's
            info = driver.info
            name = info.parameter_status("application_name") or ""
            session = OwnSession(info.backend_pid, info.dbname, info.user, name)
            known = weakref.ref(driver)
            kept = [each for each in self._sessions if each[0] != known and _is_open(each[0]())]
            self._sessions = [*kept, (known, session)]

    def _add_file(self, name: str) -> None:
        if name and name != ":memory:" and "mode=memory" not in name:
            path = unquote(urlsplit(name).path) if name.startswith("file:") else name
            self._files.add(os.path.realpath(path))


def _is_open(connection: Any) -> bool:
    return connection is not None and not getattr(connection, "closed", False)


def _install() -> None:
    """Add the audit hook once, since Python can't remove one."""
    if not hasattr(_install, "done"):
        sys.addaudithook(_hook)
        _install.done = True  # type: ignore[attr-defined] # a function's own note


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _listeners and not is_our_own():
        for listener in _listeners:
            listener.heard(event, args)


@contextmanager
def _libpq_drivers(connected: Callable[[Any], None]) -> Iterator[None]:
    """Wrap the functions that connect, of the drivers that are imported."""
    replaced: list[tuple[Any, str, Any]] = []
    for module, functions in _CONNECTING.items():
        for function in functions if module in sys.modules else ():
            *owner, name = function.split(".")
            place: Any = reduce(getattr, owner, sys.modules[module])
            replaced.append((place, name, vars(place)[name]))
            setattr(place, name, _telling(vars(place)[name], connected))
    try:
        yield
    finally:
        for place, name, original in replaced:
            setattr(place, name, original)


def _telling(connect: Any, connected: Callable[[Any], None]) -> Any:
    if isinstance(connect, classmethod):
        return classmethod(_telling(connect.__func__, connected))

    @wraps(connect)
    def telling(*args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        connected(connection)
        return connection

    return telling

"""The other ways to a database that a revision may take: connections and programs of its own."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce, wraps
from typing import Any
from urllib.parse import unquote, urlsplit

# Python tells its hooks of these (https://docs.python.org/3/library/audit_events.html).
_PROGRAMS = {"subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.forkpty"}
#: The functions through which libpq's drivers connect, of which Python tells no hook.
_CONNECTING = {"psycopg2": ("connect",), "psycopg": ("connect", "Connection.connect")}

_our_own = threading.local()
_listeners: "list[Others]" = []


class Others:
    """Hears of what this process opens and starts while it listens."""

    def __init__(self) -> None:
        self._connections: list[Any] = []
        self._files: set[str] = set()
        self._has_started_program = False

    def begin_revision(self) -> None:
        """Forget what was opened before."""
        self._connections.clear()
        self._files.clear()
        self._has_started_program = False

    def were_used(self, *, known: list[Any], files: set[str]) -> bool:
        """Tell whether anything was opened or started but the `known` connections and `files`."""
        unknown = [each for each in self._connections if not any(each is one for one in known)]
        return bool(unknown) or self._has_started_program or not self._files <= files

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of what happens within."""
        _install()
        _listeners.append(self)
        try:
            with _libpq_drivers(self._connected):
                yield
        finally:
            _listeners.remove(self)

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        """Hear an audit event of Python's."""
        if event in _PROGRAMS:
            self._has_started_program = True
        elif event == "sqlite3.connect":
            self._files.add(_path(args[0]))

    def _connected(self, connection: Any) -> None:
        if not getattr(_our_own, "connecting", False):
            self._connections.append(connection)


@contextmanager
def connecting_for_ourselves() -> Iterator[None]:
    """Let what this thread opens within count as none of the revision's."""
    _our_own.connecting = True
    try:
        yield
    finally:
        _our_own.connecting = False


def _install() -> None:
    """Add the hook once: Python has no way to take one out again."""
    if not hasattr(_install, "done"):
        sys.addaudithook(_hook)
        _install.done = True  # type: ignore[attr-defined] # a function's own note


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _listeners and not getattr(_our_own, "connecting", False):
        for listener in _listeners:
            listener.heard(event, args)


def _path(database: Any) -> str:
    text = os.fsdecode(database)
    return os.path.realpath(unquote(urlsplit(text).path) if text.startswith("file:") else text)


@contextmanager
def _libpq_drivers(connected: Callable[[Any], None]) -> Iterator[None]:
    """Put a listener before the functions that connect, of the drivers that are imported."""
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

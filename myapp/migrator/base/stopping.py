"""Stop what runs on a driver's connection, even if its server doesn't answer."""

import os
import signal
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

from .our_own import connecting_for_ourselves

# libpq's PQTRANS_ACTIVE: a statement has been sent, and its answer is not complete.
_ACTIVE = 1
_PAUSE = 0.01


def is_waiting(connection: Any) -> bool:
    """Tell whether a driver of PostgreSQL waits for the answer to a statement."""
    if getattr(connection, "closed", False):
        return False
    return getattr(getattr(connection, "info", None), "transaction_status", None) == _ACTIVE


def cancel(connections: Iterable[Any], seconds: float) -> None:
    """Cancel what runs on `connections`, and wait for that up to `seconds`.

    A child process does it. psycopg2 blocks all of Python while it asks a server to cancel, and
    libpq waits for as long as the server is silent. A child blocks nobody, and can be killed.
    """
    # A child inherits this mask: signals from the terminal are for the parent alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    children = []
    for connection in connections:
        if interrupt := getattr(connection, "interrupt", None):  # sqlite3's, which never blocks
            with suppress(Exception):  # it has been closed
                interrupt()
        elif is_waiting(connection) and hasattr(connection, "cancel"):
            with warnings.catch_warnings():
                # Python warns that a thread may hold a lock at the fork. The child takes no lock.
                warnings.simplefilter("ignore", DeprecationWarning)
                with connecting_for_ourselves():
                    child = os.fork()
            if not child:
                _cancel_and_exit(connection, seconds)
            children.append(child)
    deadline = time.monotonic() + seconds
    while children := [child for child in children if not _has_ended(child)]:
        if time.monotonic() >= deadline:
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            return
        time.sleep(_PAUSE)


def _cancel_and_exit(connection: Any, seconds: float) -> NoReturn:
    """Cancel in the child process, and end it after `seconds` at most.

    It closes the standard streams, so that nobody waits for the end of its parent's output. It
    may fail: a statement that isn't cancelled ends by itself, or its connection is cut.
    """
    try:
        os.closerange(0, 3)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
        connection.cancel()
    finally:
        os._exit(0)


def cut(connection: Any) -> None:
    """Shut down the socket of `connection`, so that its driver stops waiting."""
    import socket  # takes longer to import than all of this module

    # It may have been closed meanwhile, or have no socket.
    with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as shared:
        shared.shutdown(socket.SHUT_RDWR)


def _has_ended(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG) != (0, 0)
    except ChildProcessError:  # this process ignores SIGCHLD, so the system has collected it
        return True

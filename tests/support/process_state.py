"""What one process has once, and what a command that is called from Python leaves as it was."""

import gc
import logging
import os
import signal
import sqlite3
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import psycopg2
from alembic.script import write_hooks
from sqlalchemy import Engine, Pool

from myapp.migrator.run import other_connections
from myapp.migrator.settings import redaction


def process_state() -> dict[str, Any]:
    """Return all of it, in a form that can be compared."""
    gc.collect()  # what is left to the collector to close
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    return {
        "listeners of engines": _listeners(Engine),
        "listeners of pools": _listeners(Pool),
        # There is no public way to read them.
        "post-write hooks": dict(write_hooks._registry),
        "signal handlers": {each: signal.getsignal(each) for each in signal.valid_signals()},
        "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "wakeup": wakeup,
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook),
        "streams": (sys.stdout, sys.stderr, sys.displayhook),
        "redactors": list(redaction._in_use),
        "heard": list(other_connections._listeners),
        "connect": (psycopg2.connect, sqlite3.connect),
        "log records": logging.getLogRecordFactory(),
        "logs": logging.root.manager.disable,
        "loggers": _loggers(),
        "collector": (gc.isenabled(), gc.get_freeze_count() > 0),
        "warnings": list(warnings.filters),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "threads": {each.name for each in threading.enumerate() if each.name in _OURS},
    }


_OURS = {"blocker-watch", "still-running"}


def _listeners(kind: Any) -> dict[str, list[Callable[..., Any]]]:
    """Return the listeners to all objects of a class, but for SQLAlchemy's own."""
    found = {}
    for name in dir(kind.dispatch):
        by_class = getattr(getattr(kind.dispatch, name), "_clslevel", {})
        if listeners := list(by_class.get(kind, ())):
            found[name] = listeners
    return found


def _loggers() -> dict[str, tuple[Any, ...]]:
    new = logging.Logger("new")
    every = {"": logging.root, **logging.root.manager.loggerDict}
    states = {
        name: (each.level, list(each.handlers), each.propagate, each.disabled)
        for name, each in every.items()
        if isinstance(each, logging.Logger)
    }
    # A logger that somebody has asked for, and nothing more, is no change.
    unchanged: tuple[Any, ...] = (new.level, [], new.propagate, new.disabled)
    return {name: state for name, state in states.items() if state != unchanged}

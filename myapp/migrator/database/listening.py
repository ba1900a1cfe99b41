"""Listen to SQLAlchemy's events of all engines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.engine.interfaces import ExecutionContext

#: The execution option of engines that are this package's own, not the migrations'.
INTERNAL = "migrate_internal"
#: The execution option of a statement that the run sends beside a revision's, on its connection.
OF_THE_RUN = "migrate_of_the_run"
#: Events whose listeners return something to SQLAlchemy, with the arguments that say so.
_CAN_CHANGE: dict[str, dict[str, bool]] = {
    "do_connect": {},
    "before_execute": {"retval": True},
    "handle_error": {},
}


@contextmanager
def listening(**listeners: Callable[..., Any]) -> Iterator[None]:
    """Call each of `listeners` at the event of its name, within.

    An `env.py` may make an engine of its own, so this listens to all engines of the process. The
    lock's engine is left out, since it runs no migration.
    """
    heard = {
        name: listener if name in _CAN_CHANGE else _unless_internal(listener)
        for name, listener in listeners.items()
    }
    for name, listener in heard.items():
        event.listen(Engine, name, listener, **_CAN_CHANGE.get(name, {}))
    try:
        yield
    finally:
        for name, listener in heard.items():
            event.remove(Engine, name, listener)


def is_of_the_run(context: ExecutionContext) -> bool:
    """Tell whether a statement is the run's own, though it is sent while a revision runs."""
    return bool(context.execution_options.get(OF_THE_RUN))


def listeners_after(dialect: Dialect, own: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Yield the listeners to `do_connect` that SQLAlchemy calls after `own`.

    It calls those of all engines before an engine's own, and none after one that has connected.
    """
    listeners = iter(dialect.dispatch.do_connect)
    for each in listeners:
        if each is own:
            break
    yield from listeners


def _unless_internal(listener: Callable[..., Any]) -> Callable[..., None]:
    def listen(connection: Connection, *args: Any) -> None:
        if not connection.get_execution_options().get(INTERNAL):
            listener(connection, *args)

    return listen

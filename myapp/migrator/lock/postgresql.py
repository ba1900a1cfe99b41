"""PostgreSQL: a session advisory lock, on a connection that does nothing else."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ..base.errors import MigrateError
from ..bridge.context import RunContext
from ..bridge.readiness import until_up
from ..database.engine import own_engine
from ..database.own_connection import OwnConnection
from ..database.silence import Silence
from .held_lock import HeldLock
from .holding import Lock
from .place import failed, lock_engine, short_of_connections
from .pooler import refuse_pooler
from .session_settings import NO_TIMEOUTS, configure_session

#: How many seconds the server has to answer a question about the lock.
_SILENCE = 30.0


@contextmanager
def advisory_lock(
    context: RunContext, theirs: Engine, notice: Callable[[str], None], own: Collection[int] = ()
) -> Iterator[Lock]:
    """Hold the lock of the version table in the database that the engine `theirs` opens.

    `own` are the server processes of this run.

    Raises what `writer_lock` raises.
    """
    settings = context.settings
    silence = Silence(_SILENCE)

    def made(dbapi_connection: Any) -> None:
        context.canceller.add(dbapi_connection)
        silence.add(dbapi_connection)

    engine = own_engine(lock_engine(settings, theirs), made)

    def connect() -> OwnConnection:
        try:
            connection = OwnConnection(engine)
        except DBAPIError as error:
            raise failed(error, settings) from error
        values = {**NO_TIMEOUTS, "application_name": context.application}
        connection.ask(lambda asked: configure_session(asked, values))
        return connection

    def told(error: DBAPIError) -> MigrateError:
        return silence.error() if silence.is_over else failed(error, settings)

    def connect_twice() -> OwnConnection:
        """Connect, and see that a second connection is to be had.

        Where it isn't, the first is given back: runs that all wait with one connection each would
        wait for ever.
        """
        with ExitStack() as undone:
            first = connect()
            undone.callback(first.close)
            try:
                refuse_pooler(engine, first, is_lock_url=bool(settings.options.lock_url))
            except DBAPIError as error:
                raise short_of_connections(told(error)) from error
            undone.pop_all()
            return first

    with silence.bounded(), ExitStack() as stack:
        try:
            first = until_up(context, connect_twice)
            stack.callback(first.close)
            lock = HeldLock(context, engine, connect, first)
            stack.callback(lock.close)
            lock.acquire(settings.options.lock_wait, notice, own)
            stack.callback(lock.leave)
            stack.enter_context(lock.kept_alive())
            yield lock
        except DBAPIError as error:
            raise told(error) from error

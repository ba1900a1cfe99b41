"""Migrated databases for one test after the other, each as if it were new."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ..base.scratch import Scratch
from ..bridge.context import RunContext
from ..database.engine import make_engine, own_engine
from ..database.own_connection import OwnConnection
from ..database.restoring import Restorer
from .scratch import Scratches, scratches, settings_at


@contextmanager
def scratch_pool(context: RunContext) -> Iterator["ScratchPool"]:
    """Open a pool of scratch databases at the heads, and drop them at the end.

    Raises what `scratch` raises.
    """
    with scratches(context) as several:
        pool = ScratchPool(context, several)
        try:
            yield pool
        finally:
            pool.close()


class ScratchPool:
    """Hands out databases. One whose rows alone have been changed is emptied and handed out again.

    Copying one takes PostgreSQL much longer, since it is hundreds of files.
    """

    def __init__(self, context: RunContext, several: Scratches) -> None:
        self._context = context
        self._several = several
        self._spares: list[_Spare] = []

    @contextmanager
    def database(self) -> Iterator[Scratch]:
        """Yield a database that nobody else uses, and has only what the revisions made.

        Its other sessions are cut off at the end. Raises what `upgrade` raises.
        """
        spare = self._spares.pop() if self._spares else self._new()
        try:
            yield spare.made
        finally:
            if spare.restorer and spare.restorer.restore():
                self._spares.append(spare)
            else:
                spare.resources.close()

    def engine(self, made: Scratch) -> Engine:
        """Return an engine for `made` with the options of the .ini file, not connected yet."""
        return make_engine(settings_at(self._context.settings, made.url))

    def close(self) -> None:
        """Drop the databases that wait for their next use."""
        while self._spares:
            self._spares.pop().resources.close()

    def _new(self) -> "_Spare":
        with ExitStack() as stack:
            made = stack.enter_context(self._several.one())
            restorer = None
            engine = self.engine(made)
            if engine.dialect.name == "postgresql":
                with suppress(DBAPIError):  # then each test has a copy of its own
                    connection = OwnConnection(own_engine(engine))
                    stack.callback(connection.close)
                    restorer = Restorer(connection)
            return _Spare(made, stack.pop_all(), restorer)


@dataclass(frozen=True)
class _Spare:
    """A database, what is open for it, and what brings it back to how it was made."""

    made: Scratch
    resources: ExitStack
    restorer: Restorer | None

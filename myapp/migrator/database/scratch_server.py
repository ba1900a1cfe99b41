"""Throw-away databases of a PostgreSQL server, and templates from which they are copied fast."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from sqlalchemy import Engine
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError

from ..base.errors import DatabaseUnreachable
from .advisory_key import advisory_key
from .engine import own_engine
from .failures import error_code, first_line
from .own_connection import OwnConnection, T

_SCRATCH, _TEMPLATE = "migrate_scratch", "migrate_template"
#: So many templates of a database are kept: those of two branches of the code, say.
_KEPT = 2
#: Seconds until a run looks again whether another one has made its template.
_LOOK_AGAIN = 0.05
_CUT_OFF = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"


class ScratchServer:
    """Makes databases beside the one at `url`.

    Each is owned by the connection that made it, which holds an advisory lock of its name. So the
    next run knows which ones a killed run has left.
    """

    def __init__(self, connection: OwnConnection, url: URL, kin: str) -> None:
        self._connection = connection
        self._url = url.difference_update_query(["dbname"])
        self._kin = kin
        self._made: set[str] = set()

    def sweep(self) -> None:
        """Drop what runs have left that were killed."""
        for name in self._names(_SCRATCH):
            if self._ask(f"SELECT pg_try_advisory_lock({advisory_key(name)})"):
                self._drop(name)

    def make(self) -> URL:
        """Make an empty database. Raises DatabaseUnreachable when this user may not."""
        return self._create("")

    def copy(self, digest: str) -> URL | None:
        """Make a copy of the template named `digest`, None if there is none."""
        template = self._template(digest)
        if template not in self._names(_TEMPLATE):
            return None
        try:
            copied = self._create(f" TEMPLATE {template}")
        except DBAPIError:
            return None  # another run has dropped it just now, or is making its own copy
        self._note_use(template)
        return copied

    def keep(self, url: URL, digest: str) -> None:
        """Keep a copy of the database at `url` as the template named `digest`, where possible."""
        template = self._template(digest)
        # The server would wait five seconds for what env.py has left in a pool.
        self._ask(_CUT_OFF.format(name=url.database))
        try:
            self._execute(f"CREATE DATABASE {template} TEMPLATE {url.database}")
            self._execute(f"ALTER DATABASE {template} ALLOW_CONNECTIONS false")
            self._note_use(template)
        except DBAPIError:
            return  # another run has made it, or env.py has left a connection open
        except BaseException:
            self._drop(template)  # anyone might connect to it, and nobody could copy it then
            raise
        for old in self._names(_TEMPLATE)[_KEPT:]:
            with suppress(DBAPIError):  # it is being copied
                self._drop(old)

    @contextmanager
    def building(self, digest: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock under which the template named `digest` is made. Call `waiting` once."""
        key = advisory_key(self._template(digest))
        lock, unlock = f"pg_try_advisory_lock({key})", f"pg_advisory_unlock({key})"
        if not self._ask(f"SELECT {lock}"):
            waiting()
            while not self._ask(f"SELECT {lock}"):
                time.sleep(_LOOK_AGAIN)
        try:
            yield
        finally:
            self._ask(f"SELECT {unlock}")

    def drop(self, url: URL) -> None:
        """Drop the database at `url`, whoever is connected to it."""
        self._drop(str(url.database))

    def drop_all(self) -> None:
        """Drop what has been made here and not been dropped, where possible."""
        for name in [*self._made]:
            with suppress(DBAPIError):
                self._drop(name)

    def _create(self, how: str) -> URL:
        name = f"{_SCRATCH}_{self._kin}_{os.getpid()}_{secrets.token_hex(3)}"
        self._ask(f"SELECT pg_try_advisory_lock({advisory_key(name)})")
        self._made.add(name)
        try:
            self._execute(f"CREATE DATABASE {name}{how}")
        except DBAPIError as error:
            if error_code(error) == "42501":
                raise _refused(self._ask("SELECT current_user"), error) from error
            raise
        # What a crash would lose is thrown away in any case.
        self._execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        return self._url.set(database=name)

    def _drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._ask(f"SELECT pg_advisory_unlock({advisory_key(name)})")
        self._made.discard(name)

    def _template(self, digest: str) -> str:
        return f"{_TEMPLATE}_{self._kin}_{digest}"

    def _note_use(self, template: str) -> None:
        with suppress(DBAPIError):  # another run has dropped it just now
            now = self._ask("SELECT to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US')")
            self._execute(f"COMMENT ON DATABASE {template} IS 'used {now}'")

    def _names(self, kind: str) -> list[str]:
        """Return the databases of one kind, those first that were used last."""
        statement = (
            f"SELECT datname FROM pg_database WHERE starts_with(datname, '{kind}_{self._kin}_')"  # noqa: S608 - of letters and digits
            " ORDER BY shobj_description(oid, 'pg_database') DESC NULLS LAST, datname"
        )

        def names(asked: Connection) -> list[str]:
            return [str(name) for name in asked.exec_driver_sql(statement).scalars()]

        return self._on_connection(names)

    def _ask(self, statement: str) -> object:
        return self._on_connection(lambda asked: asked.exec_driver_sql(statement).scalar())

    def _execute(self, statement: str) -> None:
        self._on_connection(lambda asked: asked.exec_driver_sql(statement))

    def _on_connection(self, question: Callable[[Connection], T]) -> T:
        # SQLAlchemy cuts off what a signal has interrupted. The databases are yet to be dropped.
        self._connection.renew()
        return self._connection.ask(question)


@contextmanager
def scratch_server(theirs: Engine, url: URL, configured: URL) -> Iterator[ScratchServer]:
    """Connect to the server to make scratch databases for the one that is `configured`.

    Raises DBAPIError.
    """
    place = (configured.host, configured.port, configured.database, url.database)
    kin = hashlib.sha256(repr(place).encode()).hexdigest()[:8]
    with closing(OwnConnection(own_engine(theirs))) as connection:
        server = ScratchServer(connection, url, kin)
        try:
            yield server
        finally:
            server.drop_all()


def _refused(role: object, error: DBAPIError) -> DatabaseUnreachable:
    return DatabaseUnreachable(
        f"No scratch database can be made: {first_line(error)}.",
        hint=f"`ALTER ROLE {role} CREATEDB` allows it; or name a server where this user may, with"
        " `--scratch-url`.",
        retryable=False,
    )

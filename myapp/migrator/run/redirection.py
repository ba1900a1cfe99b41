"""Lead what `env.py` opens to another database than the one it names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import URL, Connection, Dialect

from ..base.errors import SettingsError
from ..database.listening import listening
from ..lock.session_settings import execute_aside

#: What the drivers call the parts of an address.
_ADDRESS = ("host", "hostaddr", "port", "dbname", "database", "service", "user", "password")
_PLACE = ("host", "hostaddr", "port", "dbname", "database", "service")
_NAMES = {"postgresql": "SELECT current_database()", "sqlite": "PRAGMA database_list"}


@contextmanager
def led_to(url: URL, instead_of: URL) -> Iterator[None]:
    """Lead each connection that SQLAlchemy opens within to the database at `url`.

    `instead_of` is the one that the .ini file names.

    Raises SettingsError, before anything is written, for a connection that can't be led there: to
    another kind of database, to a second database, or opened by `creator=`.
    """
    redirection = _Redirection(url, instead_of)
    with listening(do_connect=redirection.connect, engine_connect=redirection.connected):
        yield


class _Redirection:
    def __init__(self, url: URL, instead_of: URL) -> None:
        self._url = url
        self._instead_of = instead_of
        self._named: object = None
        # SQLAlchemy hands over the same arguments for each connection of an engine.
        self._led: list[Any] = []

    def connect(self, dialect: Dialect, record: Any, cargs: Any, cparams: Any) -> None:
        """Replace the address in a driver's arguments."""
        if any(each is cparams for each in self._led):
            return
        if dialect.name != self._url.get_backend_name():
            raise _unled(f"env.py opens a database of {dialect.name}")
        arguments, given = _arguments(dialect, self._url)
        named = _place(cargs, cparams)
        if named == _place(arguments, given):  # as the Config tells
            named = _place(*_arguments(dialect, self._instead_of))
        self._named = self._named or named
        if named != self._named:
            raise _unled("env.py opens several databases")
        for key in _ADDRESS:
            cparams.pop(key, None)
        cargs[:] = arguments
        cparams.update({key: value for key, value in given.items() if key in _ADDRESS})
        self._led.append(cparams)

    def connected(self, connection: Connection) -> None:
        """See where the connection leads, before anything runs on it."""
        statement = _NAMES.get(connection.dialect.name)
        found = execute_aside(connection, statement)[-1] if statement else None
        # SQLite's databases in memory have no name. One stands for a file that isn't there yet.
        if found and found != self._url.database:
            raise _unled("env.py opens its connections by itself (`creator=`)")


def _arguments(dialect: Dialect, url: URL) -> tuple[Any, Any]:
    named = url.set(drivername=f"{dialect.name}+{dialect.driver}")
    return dialect.create_connect_args(named)


def _place(cargs: Any, cparams: Any) -> object:
    return [*cargs], {key: str(cparams[key]) for key in _PLACE if cparams.get(key)}


def _unled(what: str) -> SettingsError:
    return SettingsError(
        f"{what}, so a scratch database can't take its place. Nothing was written there.",
        hint="let env.py open the database of `sqlalchemy.url`, with `create_engine` or"
        " `engine_from_config`.",
    )

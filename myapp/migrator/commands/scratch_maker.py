"""Where the scratch databases of an .ini file are made."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from ..base.errors import MigrateError, SettingsError
from ..bridge.context import RunContext
from ..bridge.readiness import until_up
from ..database.engine import engine_at, make_engine
from ..database.failures import database_failed
from ..database.same_database import is_same_database
from ..database.scratch_file import ScratchFiles, scratch_files
from ..database.scratch_server import ScratchServer, scratch_server
from ..database.url import engine_url, naming

_SCRATCH_URL = "The scratch URL"
Maker = ScratchServer | ScratchFiles


@contextmanager
def scratch_maker(context: RunContext, scratch_url: str | None) -> Iterator[Maker]:
    """Open what makes scratch databases for these settings, at `scratch_url` if there is one.

    Raises SettingsError when there can be none, DatabaseUnreachable when the server is.
    """
    configured = engine_url(context.settings.url)
    given = scratch_url or context.settings.options.scratch_url
    backend = configured.get_backend_name()
    if backend == "sqlite":
        if given:
            raise SettingsError(
                "A scratch URL is for PostgreSQL: a scratch database of SQLite is a file in the"
                " folder for temporary files.",
                hint="leave out `--scratch-url`, or `migrate.scratch_url` in the .ini file.",
            )
        with scratch_files(configured) as files:
            yield files
        return
    if backend != "postgresql":
        raise SettingsError(
            f"There are scratch databases of PostgreSQL and SQLite, and none of {backend}.",
            hint="run the command with `upgrade` on a database that you have made for it.",
        )
    with _server(context, given, configured) as server:
        yield server


@contextmanager
def _server(context: RunContext, given: str, configured: URL) -> Iterator[ScratchServer]:
    url = _scratch_url(given, configured) if given else configured
    try:
        theirs = engine_at(url) if given else make_engine(context.settings)
    except SettingsError as error:
        raise _named(error, is_given=bool(given)) from None
    if given and is_same_database(url, configured):
        raise SettingsError(
            "The scratch URL names the live database itself, where nothing may be made.",
            hint="leave it out to make scratch databases on the same server, or name another.",
        )
    with ExitStack() as stack:
        try:
            server = until_up(context, lambda: _entered(stack, theirs, url, configured))
        except MigrateError as error:
            raise _named(error, is_given=bool(given)) from error.__cause__
        try:
            yield server
        except DBAPIError as error:
            raise _named(database_failed(error), is_given=bool(given)) from error


def _entered(stack: ExitStack, theirs: Engine, url: URL, configured: URL) -> ScratchServer:
    try:
        return stack.enter_context(scratch_server(theirs, url, configured))
    except DBAPIError as error:
        raise database_failed(error) from error


def _named(error: MigrateError, *, is_given: bool) -> MigrateError:
    if is_given:
        error.message = error.message.replace("The database ", f"{_SCRATCH_URL}'s database ", 1)
        return naming(error, _SCRATCH_URL)
    return error


def _scratch_url(given: str, configured: URL) -> URL:
    """Return the URL of the database beside which scratch databases are made."""
    url = engine_url(given, _SCRATCH_URL)
    if url.get_backend_name() != "postgresql":
        raise SettingsError(
            "The scratch URL is not one of PostgreSQL, but `sqlalchemy.url` is.",
            hint="name a PostgreSQL server where this user may create databases.",
        )
    return url

"""A throw-away database at a revision, beside the configured one, which is never written to."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from ..base.errors import MigrateError, SettingsError
from ..base.scratch import Scratch
from ..base.watcher import Watcher
from ..bridge.configuration import build_context
from ..bridge.context import RunContext
from ..bridge.loading import load_history
from ..bridge.place import shown
from ..bridge.readiness import until_up
from ..database.engine import engine_at, make_engine
from ..database.failures import database_failed
from ..database.scratch_file import ScratchFiles, scratch_files
from ..database.scratch_server import ScratchServer, scratch_server
from ..database.url import engine_url
from ..run.redirection import led_to
from ..settings.settings import Settings
from ..settings.variables import Expanded
from .migration import upgrade

Maker = ScratchServer | ScratchFiles
_PLACES = {"prepend_sys_path", "script_location", "version_locations"}


@contextmanager
def scratch(
    context: RunContext,
    target: str | tuple[str, ...] = "heads",
    *,
    scratch_url: str | None = None,
    is_fresh: bool = False,
) -> Iterator[Scratch]:
    """Make a database, upgrade it to `target`, yield it, and drop it at the end.

    What `env.py` opens is led there. A database at the same revision of the same files is copied,
    if an earlier run has made one, unless `is_fresh`. `scratch_url` names a PostgreSQL database
    beside which it is made, in place of `migrate.scratch_url` and the configured one. A tuple as
    `target` holds the rows of a version table: none of them is an empty database.

    Raises SettingsError when there can be none for these settings, DatabaseUnreachable when this
    user may make none, and what `upgrade` raises.
    """
    settings = context.settings
    with _maker(context, scratch_url) as maker:
        maker.sweep()
        began = time.monotonic()
        digest = _digest(context, target) if target and not is_fresh else None
        url = maker.copy(digest) if digest else None
        is_copy = url is not None
        if url is None:
            url = maker.make()
        try:
            rows = _upgraded(context, url, target)
            if digest and not is_copy:
                maker.keep(url, digest)
            seconds = time.monotonic() - began
            named = target if isinstance(target, str) else ", ".join(target) or "base"
            yield Scratch(_typed(url, settings), shown(url), named, rows, is_copy, seconds)
        finally:
            maker.drop(url)


@contextmanager
def in_scratch(
    context: RunContext, url: str, watcher: Watcher | None = None
) -> Iterator[RunContext]:
    """Lead all that `env.py` opens within to the scratch database at `url`.

    Yields a context for one run there. Without a `watcher` it tells of warnings only.
    """
    there = engine_url(url)
    try:
        with led_to(there, engine_url(context.settings.url)):
            yield _context_at(context, there, watcher or _Warnings(context.watcher))
    finally:
        context.canceller.go_on()  # the database is yet to be used, and dropped


def _upgraded(context: RunContext, url: URL, target: str | tuple[str, ...]) -> tuple[str, ...]:
    """Upgrade the database at `url`, and return its version rows."""
    rows: tuple[str, ...] = ()
    for each in (target,) if isinstance(target, str) else target:
        with in_scratch(context, _typed(url, context.settings)) as there:
            rows = upgrade(there, each).rows
    return rows


def _context_at(context: RunContext, url: URL, watcher: Watcher) -> RunContext:
    """Return a context like `context` for the database at `url`."""
    settings = context.settings
    engine_options = {**settings.engine_options.shown(), "sqlalchemy.url": _typed(url, settings)}
    own = {key: value for key, value in settings.options.given.shown().items() if key != "lock_url"}
    there = replace(
        settings,
        engine_options=Expanded(engine_options),
        options=replace(settings.options, given=Expanded(own), has_session_lock=False),
    )
    made = build_context(
        there,
        x=getattr(context.config.cmd_opts, "x", None) or (),
        canceller=context.canceller,
        watcher=watcher,
        command="upgrade",
        reading=context.reading,
    )
    return replace(made, application=context.application)


class _Warnings(Watcher):
    """Hands on warnings, and no progress: what becomes of a scratch database interests nobody."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def notice(self, sentence: str) -> None:
        """Take note of a wait, a retry or a warning."""
        self._watcher.notice(sentence)


def _typed(url: URL, settings: Settings) -> str:
    """Return `url` with its password, and with the driver's name only if the .ini file has one."""
    name = "postgresql" if settings.url.partition("://")[0] == "postgres" else None
    name = name or make_url(settings.url).drivername
    return url.set(drivername=name).render_as_string(hide_password=False)


def _digest(context: RunContext, target: str | tuple[str, ...]) -> str:
    """Return a digest of all that a database at `target` is known to depend on."""
    history = load_history(context)
    folder = Path(history.script.dir)
    paths = {Path(file.path) for file in history.graph.files.values()}
    paths |= {path for suffix in ("py", "sql") for path in folder.rglob(f"*.{suffix}")}
    digest = hashlib.sha256()
    # Another checkout of the same files has them elsewhere.
    options = {k: v for k, v in context.settings.alembic.items() if k not in _PLACES}
    asked = getattr(context.config.cmd_opts, "x", None), sorted(options.items()), target
    digest.update(repr(asked).encode())
    for path in sorted(paths):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _maker(context: RunContext, scratch_url: str | None) -> Iterator[Maker]:
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
    theirs = engine_at(url) if given else make_engine(context.settings)
    with ExitStack() as stack:
        try:
            server = until_up(context, lambda: _entered(stack, theirs, url, configured))
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
        error.hint = (error.hint or "").replace("`sqlalchemy.url`", "the scratch URL")
    return error


def _scratch_url(given: str, configured: URL) -> URL:
    """Return the URL of the database beside which scratch databases are made.

    Raises SettingsError when it is the configured one.
    """
    url = engine_url(given, "The scratch URL")
    if url.get_backend_name() != "postgresql":
        raise SettingsError(
            "The scratch URL is not one of PostgreSQL, but `sqlalchemy.url` is.",
            hint="name a PostgreSQL server where this user may create databases.",
        )
    if (url.host, url.port, url.database) == (
        configured.host,
        configured.port,
        configured.database,
    ):
        raise SettingsError(
            "The scratch URL names the configured database itself, where nothing may be made.",
            hint="leave it out to make scratch databases on the same server, or name another.",
        )
    return url

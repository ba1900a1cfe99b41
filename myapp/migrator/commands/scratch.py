"""A throw-away database at a revision, beside the configured one, which is never written to."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from ..base.errors import HalfApplied, MigrationFailed
from ..base.scratch import Scratch
from ..base.watcher import Watcher
from ..bridge.configuration import build_context
from ..bridge.context import RunContext
from ..bridge.loading import load_history
from ..bridge.place import shown
from ..database.url import engine_url
from ..run.redirection import led_to
from ..settings.settings import Settings
from ..settings.variables import Expanded
from .migration import upgrade
from .scratch_maker import Maker, scratch_maker

_DROPPED = "It was a scratch database, which is dropped. The configured one is as it was."
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
    with (
        scratches(context, scratch_url=scratch_url) as several,
        several.one(target, is_fresh=is_fresh) as made,
    ):
        yield made


@contextmanager
def scratches(context: RunContext, *, scratch_url: str | None = None) -> Iterator["Scratches"]:
    """Open what makes one scratch database after the other, and drop what killed runs have left.

    Raises what `scratch` raises before it runs a revision.
    """
    with scratch_maker(context, scratch_url) as maker:
        maker.sweep()
        yield Scratches(context, maker)


class Scratches:
    """Makes scratch databases of one history, which is read once."""

    def __init__(self, context: RunContext, maker: Maker) -> None:
        self._context = context
        self._maker = maker
        self._digests: dict[str | tuple[str, ...], str] = {}
        self._rows: dict[str, tuple[str, ...]] = {}

    @contextmanager
    def one(
        self, target: str | tuple[str, ...] = "heads", *, is_fresh: bool = False
    ) -> Iterator[Scratch]:
        """Make a database as `scratch` does, yield it, and drop it at the end."""
        began = time.monotonic()
        digest = self._digest(target) if target and not is_fresh else None
        url, rows, is_copy = self._copied(digest, target) if digest else self._migrated(target)
        try:
            seconds = time.monotonic() - began
            named = target if isinstance(target, str) else ", ".join(target) or "base"
            typed = _typed(url, self._context.settings)
            yield Scratch(typed, shown(url), named, rows, is_copy, seconds)
        finally:
            self._maker.drop(url)

    def _copied(
        self, digest: str, target: str | tuple[str, ...]
    ) -> tuple[URL, tuple[str, ...], bool]:
        """Copy the template named `digest`. One run at a time makes a template, others wait."""
        url = self._maker.copy(digest)
        if url is None:
            with self._maker.building(digest, self._tell_waiting):
                url = self._maker.copy(digest)
                if url is None:
                    url, rows, is_copy = self._migrated(target)
                    self._rows[digest] = rows
                    self._maker.keep(url, digest)
                    return url, rows, is_copy
        if digest not in self._rows:
            self._rows[digest] = self._upgraded(url, target)
        return url, self._rows[digest], True

    def _tell_waiting(self) -> None:
        self._context.watcher.notice(
            "another run is making a scratch database that can be copied. Waiting for it."
        )

    def _migrated(self, target: str | tuple[str, ...]) -> tuple[URL, tuple[str, ...], bool]:
        url = self._maker.make()
        return url, self._upgraded(url, target), False

    def _upgraded(self, url: URL, target: str | tuple[str, ...]) -> tuple[str, ...]:
        """Upgrade the database at `url`, and return its version rows. Drop it if that fails."""
        rows: tuple[str, ...] = ()
        try:
            for each in (target,) if isinstance(target, str) else target:
                with in_scratch(self._context, _typed(url, self._context.settings)) as there:
                    rows = upgrade(there, each).rows
        except BaseException as error:
            self._maker.drop(url)
            if isinstance(error, MigrationFailed | HalfApplied):
                error.message += f"\n{_DROPPED}"
            raise
        return rows

    def _digest(self, target: str | tuple[str, ...]) -> str:
        if target not in self._digests:
            self._digests[target] = _digest(self._context, target)
        return self._digests[target]


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


def settings_at(settings: Settings, url: str) -> Settings:
    """Return `settings` with the scratch database at `url` in place of the configured one."""
    engine_options = {**settings.engine_options.shown(), "sqlalchemy.url": url}
    own = {key: value for key, value in settings.options.given.shown().items() if key != "lock_url"}
    return replace(
        settings,
        engine_options=Expanded(engine_options),
        options=replace(
            settings.options, given=Expanded(own), has_session_lock=False, is_thrown_away=True
        ),
    )


def _context_at(context: RunContext, url: URL, watcher: Watcher) -> RunContext:
    """Return a context like `context` for the database at `url`."""
    made = build_context(
        settings_at(context.settings, _typed(url, context.settings)),
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

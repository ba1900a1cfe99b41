"""Run `env.py`, and learn where it says the revision files are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import pyc_file_from_path

from .context import RunContext

_OPTION = "version_locations"


@contextmanager
def kept_env_py(context: RunContext) -> Iterator[None]:
    """Read the file `env.py` only once within, though it runs several times."""
    context.env_py.loaders = {}
    try:
        yield
    finally:
        context.env_py.loaders = None


def tell_env_py(context: RunContext, target: str | tuple[str, ...], tag: str | None) -> None:
    """Let `env.py` find the command's arguments whenever it runs, as with Alembic.

    It also runs to look at the database.
    """
    context.env_py.arguments = {"starting_rev": None, "destination_rev": target, "tag": tag}


def run_env(
    context: RunContext,
    script: ScriptDirectory,
    fn: Callable[..., Any],
    instead: Callable[[EnvironmentContext], None] | None = None,
    **options: Any,
) -> EnvironmentContext:
    """Run `env.py`, in which Alembic calls `fn`, and return what it ran in.

    `options` are those of EnvironmentContext.

    `instead` replaces Alembic's `run_migrations`, which `env.py` calls. Before anything is written,
    the lock has its word about the connection.

    `env.py` gets a copy of `script`, and the Config is restored afterwards. So a change that it
    makes is not made twice. `spoken` returns the changed copy.

    Raises whatever `env.py` raises.
    """
    given = context.env_py.script = copy(script)
    given.version_locations = list(script.version_locations)
    options = {**context.env_py.arguments, **options}
    environment = EnvironmentContext(context.config, given, fn=fn, **options)
    alembics = environment.run_migrations

    def run(**kw: Any) -> None:
        connection, database = environment.get_context().connection, context.database
        context.env_py.given = kw
        if connection is not None and database.stand_at and not database.only_reads:
            database.stand_at(connection)
        if instead is None:
            alembics(**kw)
        else:
            instead(environment)

    # A subclass won't do: `alembic.context` has the functions of this class only.
    environment.run_migrations = run  # type: ignore[method-assign]
    with _hearing(context, given), environment:
        path = str(Path(script.dir, "env.py"))
        kept = context.env_py.loaders
        kept = {} if kept is None else kept
        if path not in kept and not Path(path).exists():
            given.run_env()  # from bytecode, or with Alembic's error that there is no env.py
            return environment
        loader = kept.setdefault(path, _Once("env_py", path))
        spec = spec_from_file_location("env_py", path, loader=loader)
        assert spec is not None  # noqa: S101 - a loader that is given makes one
        loader.exec_module(module_from_spec(spec))
    return environment


def env_py_of(script: ScriptDirectory) -> Path | None:
    """Return the path of `env.py`, or of its bytecode, as Alembic finds it; None if there is none.

    Alembic takes the bytecode also without its option `sourceless`.
    """
    path = Path(script.dir, "env.py")
    return path if path.exists() else pyc_file_from_path(path)


def writes_files(env_py: Path | None) -> bool:
    """Tell whether `env.py` may give Alembic files to write SQL to, as that of multidb does."""
    try:
        return env_py is not None and b"output_buffer" in env_py.read_bytes()
    except OSError:
        return False


def spoken(context: RunContext, script: ScriptDirectory) -> ScriptDirectory:
    """Return `script` as `env.py` has changed it, or `script` itself if `env.py` hasn't run."""
    return context.env_py.script or script


@contextmanager
def _hearing(context: RunContext, given: ScriptDirectory) -> Iterator[None]:
    """Copy the folders that `env.py` sets within into `given`.

    It may set them in `given` itself, or in the Config, which `given` was made from. Then restore
    the Config.
    """
    handed, before = given.version_locations, list(given.version_locations)
    option = context.config.get_main_option(_OPTION)
    with _restored(context):
        try:
            yield
        finally:
            said = context.config.get_main_option(_OPTION)
            is_left = given.version_locations is handed and handed == before
            if is_left and said and said != option:
                given.version_locations = context.settings.alembic.split_locations(said)


@contextmanager
def _restored(context: RunContext) -> Iterator[None]:
    option = context.config.get_main_option(_OPTION)
    try:
        yield
    finally:
        if option is not None:
            _set(context, option)
        elif context.config.get_main_option(_OPTION) is not None:
            context.config.remove_main_option(_OPTION)


def _set(context: RunContext, value: str) -> None:
    context.config.set_main_option(_OPTION, value.replace("%", "%%"))


class _Once(SourceFileLoader):
    """Reads and compiles its file at the first use."""

    _code: CodeType | None = None

    def get_code(self, fullname: str) -> CodeType | None:
        """Return what the file was compiled to."""
        if self._code is None:
            self._code = super().get_code(fullname)
        return self._code

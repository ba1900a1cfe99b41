"""`env.py`, read once for a command, and what it says of where the revision files are."""

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

from .context import RunContext

_OPTION = "version_locations"


@contextmanager
def kept_env_py(context: RunContext) -> Iterator[None]:
    """Read `env.py` from its file once within: it is asked again when a run has done its work."""
    context.env_py.loaders = {}
    try:
        yield
    finally:
        context.env_py.loaders = None


def run_env(
    context: RunContext,
    script: ScriptDirectory,
    fn: Callable[..., Any],
    instead: Callable[[EnvironmentContext], None] | None = None,
    **options: Any,
) -> None:
    """Run `env.py`, which lets Alembic call `fn`; `options` are those of EnvironmentContext.

    `instead` takes the place of Alembic's own `run_migrations`, which `env.py` calls.

    It gets a copy of `script`, and finds the Config as it was, so that what it changes there is not
    changed twice; `spoken` tells of it.

    Raises whatever `env.py` raises.
    """
    given = context.env_py.script = copy(script)
    given.version_locations = list(script.version_locations)
    environment = EnvironmentContext(context.config, given, fn=fn, **options)
    if instead is not None:
        ask = instead
        # A subclass would not do: `alembic.context` only stands for this very class.
        environment.run_migrations = lambda **kw: ask(environment)  # type: ignore[method-assign]
    with _hearing(context, given), environment:
        path = str(Path(script.dir, "env.py"))
        kept = context.env_py.loaders
        kept = {} if kept is None else kept
        if path not in kept and not Path(path).exists():
            given.run_env()  # from bytecode, or Alembic tells that there is none
            return
        loader = kept.setdefault(path, _Once("env_py", path))
        spec = spec_from_file_location("env_py", path, loader=loader)
        assert spec is not None  # noqa: S101 - a loader that is given makes one
        loader.exec_module(module_from_spec(spec))


def spoken(context: RunContext, script: ScriptDirectory) -> ScriptDirectory:
    """Return `script` as `env.py` would have it when it ran last, `script` itself if it hasn't."""
    return context.env_py.script or script


@contextmanager
def _hearing(context: RunContext, given: ScriptDirectory) -> Iterator[None]:
    """Take what `env.py` sets within, in `given` or else in the Config, over into `given`.

    Alembic reads the files when `env.py` has run, so that the former has its effect; the latter has
    it on the next command with that Config, as ours with it is, after the first look.
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

"""Alembic's three kinds of post-write hooks, except that a hook that fails is an error.

Alembic ignores their exit status (alembic.script.write_hooks).
"""

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points

from alembic.script import write_hooks

from ..base.errors import SettingsError

# A hook's output goes to standard error. Standard output is for the answer.
_STDERR = 2
_SCRIPT = "REVISION_SCRIPT_FILENAME"

_Hook = Callable[..., None]


class HookFailed(SettingsError):
    """A hook failed, after the revision file had been written."""


@contextmanager
def failing_hooks_told() -> Iterator[None]:
    """Replace Alembic's own hooks within, through its public registry.

    The registry can't be read. So Alembic's own hooks come back at the end, even if others had
    replaced them before.
    """
    _register(_executable, _module, _console_script)
    try:
        yield
    finally:
        _register(write_hooks.exec_, write_hooks.module, write_hooks.console_scripts)


def _register(executable: _Hook, module: _Hook, console_script: _Hook) -> None:
    write_hooks.register("exec")(executable)
    write_hooks.register("module")(module)
    write_hooks.register("console_scripts")(console_script)


def _executable(path: str, options: Mapping[str, str]) -> None:
    _run(path, options, [_option(path, options, "executable")])


def _module(path: str, options: Mapping[str, str]) -> None:
    module = _option(path, options, "module")
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # its package is missing
        found = None
    if found is None:
        raise _failed(path, options, f"there is no module `{module}`")
    _run(path, options, [sys.executable, "-m", module])


def _console_script(path: str, options: Mapping[str, str]) -> None:
    name = _option(path, options, "entrypoint")
    found = list(entry_points(group="console_scripts", name=name))
    if not found:
        raise _failed(path, options, f"there is no console script `{name}`")
    module, attribute = found[0].module, found[0].attr
    # The installed script does the same: the result of the function is the exit status.
    code = f"import sys, {module}; sys.exit({module}.{attribute}())"
    _run(path, options, [sys.executable, "-c", code])


def _run(path: str, options: Mapping[str, str], command: list[str]) -> None:
    arguments = options.get("options", "")
    if _SCRIPT not in arguments:
        arguments = f"{_SCRIPT} {arguments}"
    try:
        words = [word.replace(_SCRIPT, path) for word in shlex.split(arguments)]
    except ValueError as error:
        raise _failed(
            path, options, f"its options can't be split as a shell does: {error}"
        ) from None
    try:
        finished = subprocess.run(  # noqa: S603 - the command is the developer's own setting
            [*command, *words], cwd=options.get("cwd") or None, stdout=_STDERR, check=False
        )
    except OSError as error:
        reason = f"{error.filename} can't be run or entered: {error.strerror}"
        raise _failed(path, options, reason) from None
    if finished.returncode:
        raise _failed(path, options, f"it ended with exit status {finished.returncode}")


def _option(path: str, options: Mapping[str, str], name: str) -> str:
    if name not in options:
        raise _failed(path, options, f"`{options['_hook_name']}.{name}` is not set")
    return options[name]


def _failed(path: str, options: Mapping[str, str], reason: str) -> HookFailed:
    return HookFailed(
        f"The post-write hook `{options['_hook_name']}` failed: {reason}. The revision file"
        f" {os.path.normpath(path)} has been written.",
        hint="fix [post_write_hooks] in the .ini file, then run the hook on that file by hand.",
    )

"""What Alembic's tests give or replace as objects, handed over to this command while it runs."""

import functools
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from alembic.config import Config
from alembic.script import ScriptDirectory, write_hooks
from alembic.util import compat

from myapp.migrator.bridge import configuration, post_write_hooks

_RUN_ENV = ScriptDirectory.run_env
_SUBPROCESS = write_hooks.subprocess
#: An env.py that runs the function which a test has put in the place of env.py.
_ENV_PY = "from alembic.script import ScriptDirectory\nScriptDirectory.run_env(None)\n"


def is_running() -> bool:
    """Tell whether this command is at work. It has some of its work done by Alembic's functions."""
    return isinstance(configuration.build_context, functools.partial)


@contextmanager
def handed_over(config: Config) -> Iterator[None]:
    """Let this command have the objects of `config`, and what its test has replaced."""
    build = functools.partial(_build_context, config, configuration.build_context)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(configuration, "build_context", build))
        stack.enter_context(mock.patch.dict(os.environ))
        os.environ["EDITOR"] = "true"  # the answer tells which files were opened
        if write_hooks.subprocess is not _SUBPROCESS:
            stack.enter_context(mock.patch.object(post_write_hooks, "subprocess", _Programs))
            stack.enter_context(mock.patch.object(post_write_hooks, "entry_points", _entry_points))
        if ScriptDirectory.run_env is not _RUN_ENV:
            path = Path(str(config.get_alembic_option("script_location")), "env.py")
            path.write_text(_ENV_PY, encoding="utf-8")
        yield


def _build_context(config: Config, build: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    context = build(*args, **kwargs)
    context.config.attributes.update(config.attributes)
    return context


class _Programs:
    """Calls what the test has put in the place of `subprocess`, as Alembic calls it."""

    @staticmethod
    def run(command: list[str], *, cwd: str | None, **_: Any) -> Any:
        # This command asks a console script for its exit status.
        command = [re.sub(r"import sys, (.*)sys\.exit\((.*)\)", r"import \1\2", c) for c in command]
        write_hooks.subprocess.run(command, cwd=cwd)
        return subprocess.CompletedProcess(command, 0)


def _entry_points(*, group: str, name: str) -> list[Any]:
    return [each for each in compat.importlib_metadata_get(group) if each.name == name]

"""Calls of `alembic.command`, carried out by this command."""

import functools
import inspect
import io
import json
import os
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import alembic.command
import alembic.util
from alembic.config import CommandLine, Config

from myapp.scripts.migrate import main

from .answers import answered, failed
from .handing_over import handed_over, is_running
from .ini import write_ini

#: The command lines that have been run, for the end of the report.
ran: list[list[str]] = []

#: Parameters of Alembic's functions that are arguments on the command line.
_ARGUMENTS = {
    "revision": {"upgrade", "downgrade", "stamp"},
    "rev": {"show", "edit"},
    "revisions": {"merge"},
    "directory": {"init"},
}
#: Parameters that take objects, which no command line can name.
_OBJECTS = {"process_revision_directives", "template_args"}


def replace_commands() -> None:
    """Have each function of `alembic.command` carried out by this command."""
    for name, function in list(vars(alembic.command).items()):
        is_command = inspect.isfunction(function) and function.__module__ == "alembic.command"
        if is_command and not name.startswith("_"):
            replaced = _replaced(function)
            setattr(alembic.command, name, replaced)
            names = CommandLine._POSITIONAL_TRANSLATIONS  # of Alembic's own parser
            if function in names:
                names[replaced] = names[function]


def _replaced(function: Any) -> Any:
    """Return a function with the parameters of `function`, which Alembic's own parser looks at."""

    def call(given: dict[str, Any]) -> Any:
        if is_running():  # this command has some work done by Alembic's functions
            return function(**given)
        return _run(function.__name__, given.pop("config"), given)

    parameters = ", ".join(inspect.signature(function).parameters)
    made: dict[str, Any] = {"call": call}
    exec(f"def replaced({parameters}): return call(locals())", made)  # noqa: S102 - of names only
    made["replaced"].__defaults__ = function.__defaults__
    return functools.update_wrapper(made["replaced"], function)


def _run(name: str, config: Config, given: dict[str, Any]) -> Any:
    """Run the command line that says the same as the call, and return what the call would.

    Raises CommandError for each error, as Alembic does.
    """
    line = [str(write_ini(config)), name.replace("_", "-"), *_typed(name, given)]
    for pair in getattr(config.cmd_opts, "x", None) or ():
        line += ["-x", pair]
    ran.append(line)
    stdout, stderr = _Stream(), _Stream()
    with handed_over(config), redirect_stdout(stdout), redirect_stderr(stderr):
        status = main([*line, "--json"])
    document = json.loads(stdout.text())
    print(shlex.join(line), "->", status)  # noqa: T201 - pytest shows it with a failure
    print(stderr.text())  # noqa: T201 - as above
    if status:
        raise failed(name, document["error"])
    return answered(name, config, given, document)


def _typed(name: str, given: dict[str, Any]) -> Iterator[str]:
    for parameter, value in given.items():
        if parameter in _OBJECTS or value is None or value is False:
            continue
        values = [value] if isinstance(value, str | os.PathLike | bool) else list(value)
        for each in values:
            if name in _ARGUMENTS.get(parameter, ()):
                # Alembic's functions take no revision at all for base.
                yield str(each)
            elif each is True:
                yield f"--{parameter.replace('_', '-')}"
            else:
                yield f"--{parameter.replace('_', '-')}={each}"
        if not values and name == "stamp":
            yield "base"


class _Stream(io.TextIOWrapper):
    """A standard stream that is kept, with a binary buffer beneath as the real ones have."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self) -> str:
        self.seek(0)
        return self.read()

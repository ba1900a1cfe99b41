"""The command, run as its users run it or inside the test's own process."""

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from .launcher import SCRIPTS as SCRIPTS


@dataclass(frozen=True)
class Result:
    """What a run of the command came to."""

    returncode: int
    stdout: str
    stderr: str


def run(
    *args: str | os.PathLike[str],
    env: Mapping[str, str | None] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    input: str | None = None,  # noqa: A002 # as in subprocess.run
    timeout: float = 60,
    obeys_modes: bool = False,
    installed: bool = False,
) -> Result:
    """Run `myapp-migrate` in a process of its own, and wait for its end.

    `env` is added to the environment, None removes a name. With `obeys_modes`, root too is held to
    the modes of files and folders. With `installed`, the installed script is started.
    """
    from .processes import Process

    process = Process(
        *args, env=env, cwd=cwd, input=input, obeys_modes=obeys_modes, installed=installed
    )
    try:
        return process.finish(timeout)
    finally:
        process.close()


def invoke(*args: str | os.PathLike[str]) -> Result:
    """Run the command in this process, which is much faster than `run`."""
    from myapp.scripts.migrate import main

    # Not a StringIO: the real streams have a binary buffer beneath, which some writers use.
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with redirect_stdout(stdout), redirect_stderr(stderr):
        returncode = main([os.fspath(arg) for arg in args])
    return Result(returncode, _text(stdout), _text(stderr))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()

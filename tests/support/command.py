"""The command, run as its users run it or inside the test's own process."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

#: The folder of the console scripts that are installed beside this Python.
SCRIPTS = Path(sys.executable).parent


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
) -> Result:
    """Run the installed `myapp-migrate`; `env` is added to the environment, None removes a name."""
    changed = {**os.environ, **(env or {})}
    done = subprocess.run(
        [SCRIPTS / "myapp-migrate", *args],
        capture_output=True,
        check=False,
        cwd=cwd,
        encoding="utf-8",
        env={name: value for name, value in changed.items() if value is not None},
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        timeout=timeout,
    )
    return Result(done.returncode, done.stdout, done.stderr)


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

"""The command, run as its users run it or inside the test's own process."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

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
    obeys_modes: bool = False,
) -> Result:
    """Run the installed `myapp-migrate`; `env` is added to the environment, None removes a name.

    With `obeys_modes`, root too is held to the modes of files and folders.
    """
    changed = {**os.environ, **(env or {})}
    done = subprocess.run(
        [*(_obeying_modes() if obeys_modes else []), SCRIPTS / "myapp-migrate", *args],
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


def _obeying_modes() -> list[str]:
    """Return a program that runs another without root's right to read and write everything."""
    if os.geteuid():
        return []
    if not sys.platform.startswith("linux"):
        pytest.skip("root can lay down its right to write everywhere on Linux only")
    # prctl(PR_CAPBSET_DROP) of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which `exec` then drops.
    code = (
        "import ctypes, os, sys\n"
        "prctl = ctypes.CDLL(None).prctl\n"
        "assert prctl(24, 1, 0, 0, 0) == prctl(24, 2, 0, 0, 0) == 0\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", code]


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

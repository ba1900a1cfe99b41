"""The command in processes of its own: to race, to signal, to kill."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from support.command import SCRIPTS, Result
from support.launcher import Forked, can_fork, fork


class Process:
    """A run of `myapp-migrate` that has been started."""

    def __init__(
        self,
        *args: str | os.PathLike[str],
        env: Mapping[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        input: str | None = None,  # noqa: A002 # as in subprocess.run
        obeys_modes: bool = False,
        installed: bool = False,
    ) -> None:
        changed = {**os.environ, **(env or {})}
        environment = {name: value for name, value in changed.items() if value is not None}
        with ExitStack() as stack:
            stdin, stdout, stderr = (
                stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)
            )
            stdin.write((input or "").encode())
            stdin.seek(0)
            self._stdout, self._stderr = os.dup(stdout.fileno()), os.dup(stderr.fileno())
            self._popen: Forked | subprocess.Popen[bytes]
            if obeys_modes and os.geteuid() == 0 and not can_fork(environment):
                pytest.skip("root can lay down its right to write everywhere on Linux only")
            if can_fork(environment) and not installed:
                streams = [stdin.fileno(), self._stdout, self._stderr]
                self._popen = fork(args, streams, environment, cwd, obeys_modes=obeys_modes)
            else:
                self._popen = subprocess.Popen(
                    [SCRIPTS / "myapp-migrate", *args],
                    cwd=cwd,
                    env=environment,
                    stdin=stdin,
                    stdout=self._stdout,
                    stderr=self._stderr,
                )
        self._is_closed = False
        self.pid = self._popen.pid

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return _read(self._stderr)

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def until_told(self, text: str) -> None:
        """Wait until it has written `text` to standard error."""
        until(lambda: text in self.stderr or not self.is_running)
        assert text in self.stderr, self.stderr

    def finish(self, timeout: float = 60) -> Result:
        """Wait for its end."""
        returncode = self._popen.wait(timeout)
        return Result(returncode, _read(self._stdout), self.stderr)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._popen.kill()
            self._popen.wait()
            os.close(self._stdout)
            os.close(self._stderr)


class Start(Protocol):
    """The fixture `start`."""

    def __call__(self, *args: str | os.PathLike[str]) -> Process: ...


@contextmanager
def starter() -> Iterator[Start]:
    """Yield what starts processes; whichever still runs at the end is killed."""
    started: list[Process] = []

    def start(*args: str | os.PathLike[str]) -> Process:
        started.append(Process(*args))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.close()


def until(condition: Callable[[], object], timeout: float = 30) -> None:
    """Wait for `condition`, asking again and again."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.02)


def seconds_of(action: Callable[[], object]) -> float:
    """Return how long `action` takes."""
    start = time.monotonic()
    action()
    return time.monotonic() - start


def write_env(ini: Path, code: str) -> None:
    """Replace the env.py of an application that `make_app` made."""
    (ini.parent / "migrations" / "env.py").write_text(code)


def _read(descriptor: int) -> str:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

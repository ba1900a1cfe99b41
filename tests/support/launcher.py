"""Processes of the command that need not import anything: each is forked from one that has.

Most of the time of a short run goes into the import of Alembic and SQLAlchemy. A fork has signals,
files, an environment, a working directory and an end of its own, as any process. Run as a program,
this file is the process that is forked.
"""

import atexit
import ctypes
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

#: The folder of the console scripts that are installed beside this Python.
SCRIPTS = Path(sys.executable).parent
_COMMAND = str(SCRIPTS / "myapp-migrate")
#: What Python, the loader of programs and libc read at the start of a process only.
_AT_THE_START = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_")
#: What the parent says: a process id, or a status and the seconds of CPU that were taken.
_PID, _END = struct.Struct("!i"), struct.Struct("!id")
#: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, from linux/capability.h; and prctl's PR_CAPBSET_DROP.
_RIGHTS_OF_ROOT, _DROP = (1, 2), 24


class Forked:
    """A run of the command, with the methods of `subprocess.Popen` that the tests call."""

    #: The seconds of CPU that all of them took.
    cpu = 0.0

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.returncode: int | None = None
        self.pid: int = _PID.unpack(connection.recv(_PID.size, socket.MSG_WAITALL))[0]

    def poll(self) -> int | None:
        return self._end(0)

    def wait(self, timeout: float | None = None) -> int:
        if (end := self._end(timeout)) is None:
            raise subprocess.TimeoutExpired(_COMMAND, timeout or 0)
        return end

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], timeout)[0]:
            status, cpu = _END.unpack(self._connection.recv(_END.size, socket.MSG_WAITALL))
            self._connection.close()
            self.returncode = os.waitstatus_to_exitcode(status)
            Forked.cpu += cpu
        return self.returncode


def can_fork(environment: Mapping[str, str]) -> bool:
    """Tell whether a fork with this environment is like a process that starts with it."""
    return sys.platform.startswith("linux") and _of_the_start(environment) == _started()[1]


def fork(
    args: Sequence[str | os.PathLike[str]],
    streams: Sequence[int],
    environment: Mapping[str, str],
    cwd: str | os.PathLike[str] | None = None,
    *,
    obeys_modes: bool = False,
) -> Forked:
    """Run the command with these descriptors as its standard input, output and error.

    With `obeys_modes`, root too is held to the modes of files and folders.
    """
    request = {
        "args": [os.fspath(arg) for arg in args],
        "environment": dict(environment),
        "cwd": os.fspath(cwd or os.getcwd()),
        "obeys_modes": obeys_modes,
    }
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(_started()[0], [b"1"], [theirs.fileno(), *streams])
    ours.sendall(json.dumps(request).encode() + b"\n")
    return Forked(ours)


@cache
def _started() -> tuple[socket.socket, dict[str, str]]:
    """Start the process that is forked; it ends with this one. Return what leads to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours, _of_the_start(os.environ)


def _of_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_THE_START)}


# In the process that is forked


def _serve(control: socket.socket) -> dict[str, Any]:
    """Fork again and again; return in each fork, with what it is to do."""
    for number in (signal.SIGINT, signal.SIGCHLD):  # nobody waits for the parents of forks
        signal.signal(number, signal.SIG_IGN)
    while True:
        said, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not said:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _child(socket.socket(fileno=descriptors[0]), descriptors[1:])
        for descriptor in descriptors:
            os.close(descriptor)


def _child(client: socket.socket, streams: Sequence[int]) -> dict[str, Any]:
    """Return in the child; its parent tells the client of its end."""
    with client.makefile() as lines:
        request: dict[str, Any] = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        client.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return request
    for stream in streams:
        os.close(stream)
    try:
        client.sendall(_PID.pack(pid))
        _, status, usage = os.wait4(pid, 0)
        client.sendall(_END.pack(status, usage.ru_utime + usage.ru_stime))
    finally:
        os._exit(0)


def _become(request: Mapping[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv[:] = [_COMMAND, *request["args"]]
    if request["obeys_modes"] and os.geteuid() == 0:
        _obey_modes()


def _obey_modes() -> None:
    libc = ctypes.CDLL(None)
    # Version 3 of the header, this process; effective, permitted, inheritable, twice 32 bits each.
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    found = [libc.prctl(_DROP, right, 0, 0, 0) for right in _RIGHTS_OF_ROOT]
    found.append(libc.capget(header, data))
    for place in range(3):
        data[place] &= ~sum(1 << right for right in _RIGHTS_OF_ROOT)
    if any([*found, libc.capset(header, data)]):
        os._exit(99)


def _preload() -> None:
    # A command minds its log handlers from the start where these are there.
    import logging.config  # noqa: F401

    import myapp.migrator
    import myapp.scripts

    for package in (myapp.scripts, myapp.migrator):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # They import Pyramid and pytest, which no command does.
            if not module.name.startswith(("myapp.migrator.pyramid", "myapp.migrator.pytest_")):
                __import__(module.name)


class _End:
    """Ends the process without taking its modules apart, which takes longer than a short run."""

    status = 1

    def __call__(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.status)


if __name__ == "__main__":
    end = _End()
    atexit.register(end)  # what is registered first is called last
    sys.path[0] = str(SCRIPTS)
    _preload()
    gc.freeze()  # a fork then shares this memory for longer
    _become(_serve(socket.socket(fileno=int(sys.argv[1]))))
    from myapp.scripts.migrate import main

    end.status = main()

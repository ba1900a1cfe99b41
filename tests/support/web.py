"""Pyramid applications that include the engine's face for them, and servers that run one."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import webtest
from pyramid.config import Configurator

from .command import SCRIPTS

#: What `gunicorn` and `pserve` write once they listen.
_LISTENS = re.compile(r"(?:Serving on|Listening at:) http://(127\.0\.0\.1:\d+)")


def configured(
    settings: Mapping[str, Any],
    configure: Callable[[Any], object] = lambda config: None,
    timeout: float = 10.0,
) -> webtest.TestApp:
    """Return an application with these settings, and the view `/health`, for a test to ask."""
    with Configurator(settings=settings) as config:
        config.include("myapp.migrator.pyramid")
        config.add_migration_health("/health", timeout)
        configure(config)
        return webtest.TestApp(config.make_wsgi_app())


@dataclass(frozen=True)
class Served:
    """A server at work: its address, what it writes, and its process."""

    address: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def health(self) -> tuple[int, str, list[str] | None]:
        with closing(HTTPConnection(self.address, timeout=20)) as connection:
            connection.request("GET", "/health")
            response = connection.getresponse()
            answer = json.load(response)
            return response.status, answer["status"], answer["revision"]


@contextmanager
def pserve(ini: Path) -> Iterator[Served]:
    """Run `pserve` within; the .ini file lets it listen at a free port of 127.0.0.1."""
    with _running(ini.parent, [SCRIPTS / "pserve", ini]) as served:
        yield served


@contextmanager
def gunicorn(ini: Path, *options: str) -> Iterator[Served]:
    """Run `gunicorn` within."""
    command: list[str | Path] = [SCRIPTS / "gunicorn", "--paste", ini, "--bind", "127.0.0.1:0"]
    command += options
    with _running(ini.parent, command) as served:
        yield served


def failed_start(ini: Path, program: str, *options: str) -> tuple[int, str]:
    """Return the status and the output of a server that doesn't start."""
    command: list[str | Path] = [SCRIPTS / program, *options]
    command += ["--paste", ini, "--bind", "127.0.0.1:0"] if program == "gunicorn" else [ini]
    done = subprocess.run(
        command,
        check=False,
        cwd=ini.parent,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    return done.returncode, done.stdout


@contextmanager
def _running(folder: Path, command: list[str | Path]) -> Iterator[Served]:
    log = folder / "server.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield Served(_address(process, log), log, process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if found := _LISTENS.search(log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the server doesn't serve:\n{log.read_text()}")

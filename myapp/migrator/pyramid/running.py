"""Run the command as one types it, in a process of its own, and hear what it says.

A run replaces functions of the drivers while it is at work, and an `env.py` may set up logging
anew: in the application's own process, its other requests would notice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

_MODULE = f"{__name__.partition('.')[0]}.scripts.migrate"


def _python() -> str:
    """Return the program of this Python: for uWSGI, which embeds it, `sys.executable` is uWSGI."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = Path(sys.prefix, "bin", version)
    is_embedded = not Path(sys.executable or "").name.startswith("py")
    return str(python) if is_embedded and python.exists() else sys.executable


class Running:
    """A command at work. It goes on even if nobody listens any more."""

    def __init__(self, ini: Path, *words: str) -> None:
        """Start the command with the .ini file and these words."""
        # It finds what this process finds, however that was started.
        found = os.pathsep.join(path for path in sys.path if path)
        environment = {**os.environ, "PYTHONPATH": found, "NO_COLOR": "1", "PYTHONUTF8": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - the words are this package's own
            [_python(), "-P", "-m", _MODULE, str(ini), *words],
            encoding="utf-8",
            env=environment,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=self._listen, name="migrations", daemon=True).start()

    def lines(self) -> Iterator[str]:
        """Yield each line as it comes, until the command has ended."""
        while (line := self._lines.get()) is not None:
            yield line

    def status(self) -> int:
        """Return its exit status, once it has ended."""
        return self._process.wait()

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - it is a pipe
        with stream:
            for line in stream:
                self._lines.put(line.rstrip("\n"))
        self._process.wait()
        self._lines.put(None)

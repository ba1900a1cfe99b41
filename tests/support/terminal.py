"""The command on a terminal, and what stands on its screen in the end."""

import os
import re
import subprocess
import termios
from collections.abc import Mapping
from unicodedata import east_asian_width

from .command import SCRIPTS

_TOKEN = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|(.)", re.DOTALL)


def run_on_terminal(
    *args: str | os.PathLike[str],
    env: Mapping[str, str] | None = None,
    columns: int = 80,
    typed: str = "",
) -> str:
    """Run the installed `myapp-migrate` on a terminal of its own and return all that it wrote.

    `typed` is what a person types.
    """
    terminal, end = os.openpty()
    termios.tcsetwinsize(end, (24, columns))
    environment = {**os.environ, "TERM": "xterm-256color", **(env or {})}
    with subprocess.Popen(
        [SCRIPTS / "myapp-migrate", *args], stdin=end, stdout=end, stderr=end, env=environment
    ) as process:
        os.close(end)
        os.write(terminal, typed.encode())
        written = _read(terminal)
        process.wait(60)
    os.close(terminal)
    return written


def screen(written: str, columns: int = 80) -> list[str]:
    """Return the lines that stand on a terminal after `written`, colours left out."""
    lines: list[list[str]] = [[]]
    column = 0
    for arguments, command, char in _TOKEN.findall(written):
        if char == "\r":
            column = 0
        elif char == "\n":
            lines.append([])
        elif char:
            width = 2 if east_asian_width(char) in "WF" else 1
            if column + width > columns:
                lines.append([])
                column = 0
            lines[-1][column : column + width] = [char, *[""] * (width - 1)]
            column += width
        elif command == "K":
            assert arguments in ("", "0")
            del lines[-1][column:]
        else:
            assert command == "m", f"a command to the terminal that is not expected: {command!r}"
    return ["".join(line) for line in lines]


def _read(terminal: int) -> str:
    chunks = []
    try:
        while chunk := os.read(terminal, 65536):
            chunks.append(chunk)
    except OSError:  # Linux reports the end of a terminal so
        pass
    return b"".join(chunks).decode()

"""Completion in a real zsh and a real fish, as README.md sets it up, without the user's files."""

import os
import select
import shutil
import subprocess
import termios
import time
from pathlib import Path

import pytest
from support.command import SCRIPTS, invoke
from support.history import MakeApp, Revision, create_table

VARIABLE = "_MYAPP_MIGRATE_COMPLETE"


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")


@pytest.fixture
def folder(make_app: MakeApp, sqlite_url: str) -> Path:
    message = "create a, and describe it at such length that Click would cut its help"
    first = Revision("aaaa1", message=message, **create_table("a"))
    ini = make_app(sqlite_url, [first, Revision("bbbb2", "aaaa1", "create b")])
    assert invoke(ini, "upgrade").returncode == 0
    return ini.parent


def environment(folder: Path) -> dict[str, str]:
    path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(folder), "PATH": path, "TERM": "dumb", "PS1": "$ ", "LANG": "C.UTF-8"}


@needs("zsh")
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", "app.ini"),
        ("app.ini hi", "app.ini history"),
        ("app.ini downgrade -", "back to aaaa1 (create a, and describe it at such length that"),
        ("app.ini upgrade aa", "upgrade aaaa1"),
    ],
)
def test_zsh_completes_without_any_file_of_its_user(folder: Path, typed: str, shown: str) -> None:
    terminal, end = os.openpty()
    termios.tcsetwinsize(end, (40, 150))
    with subprocess.Popen(
        ["zsh", "-f", "-i"],
        stdin=end,
        stdout=end,
        stderr=end,
        cwd=folder,
        env=environment(folder),
        start_new_session=True,
    ) as process:
        os.close(end)
        os.write(
            terminal, f'eval "$({VARIABLE}=zsh_source myapp-migrate)"; echo set  up\n'.encode()
        )
        seen = _until(terminal, "set up")
        assert "command not found" not in seen
        os.write(terminal, f"myapp-migrate {typed}\t".encode())
        _until(terminal, shown)
        process.kill()
    os.close(terminal)


def _until(terminal: int, expected: str, seconds: float = 30) -> str:
    seen, deadline = "", time.monotonic() + seconds
    while expected not in seen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    assert expected in seen, seen
    return seen


@needs("fish")
def test_fish_completes_in_our_order_and_with_whole_descriptions(folder: Path) -> None:
    lines = ["", "app.ini upg", "app.ini downgrade "]
    asked = "; ".join(f"complete -C 'myapp-migrate {line}'; echo" for line in lines)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"{VARIABLE}=fish_source myapp-migrate | source; {asked}"],
        capture_output=True,
        check=True,
        cwd=folder,
        encoding="utf-8",
        env={**environment(folder), "XDG_CONFIG_HOME": str(folder)},
    )
    message = "create a, and describe it at such length that Click would cut its help"
    assert done.stdout == (
        "app.ini\n\n"
        "upgrade\tUpgrade the database to REVISION, by default to all heads.\n\n"
        f"-1\tback to aaaa1 ({message})\n-2\tback to base\n"
        f"bbbb2\tcreate b\naaaa1\t{message}\nhead\nheads\nbase\n\n"
    )

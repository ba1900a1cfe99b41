"""The servers of the tests end with the tests, also where these are killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

_STARTS_A_SERVER = """
import time
from support.postgresql import restartable_server
with restartable_server() as server:
    print(server._folder, flush=True)
    time.sleep(60)
"""


def test_a_server_and_its_folder_are_gone_soon_after_a_test_process_is_killed() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _STARTS_A_SERVER],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    process.kill()
    process.communicate()

    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
    assert not Path("/proc", str(pid)).exists() or _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Tell whether it has ended unnoticed, as in a container without an init."""
    return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] == "Z"

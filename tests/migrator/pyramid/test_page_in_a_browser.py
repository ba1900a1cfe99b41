"""The pending page and the toolbar's panel in a real browser, served by `pserve`."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import axe_core, chromium, violations
from support.database import heads
from support.history import MakeApp, Revision, create_table
from support.web import pserve

HISTORY = [
    Revision("aaa111", None, "Create the first table", **create_table("a")),
    Revision("bbb222", "aaa111", "<script>alert(1)</script>", **create_table("b")),
]
SERVER = """
[server:main]
use = egg:waitress#main
listen = 127.0.0.1:0

[loggers]
keys = root
[logger_root]
level = INFO
handlers = console
[handlers]
keys = console
[handler_console]
class = StreamHandler
args = ()
formatter = plain
[formatters]
keys = plain
[formatter_plain]
"""


@dataclass
class Site:
    """An application at work, with its database."""

    address: str
    ini: Path
    url: str

    @property
    def heads(self) -> set[str]:
        """Where its database stands."""
        is_made = Path(self.url.removeprefix("sqlite:///")).exists()
        return heads(self.url) if is_made else set()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe_core(tmp_path_factory.mktemp("npm"))


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Any]:
    contexts = []

    def new(**options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        return page

    yield new
    for context in contexts:
        context.close()


Serve = Callable[..., Site]


@pytest.fixture
def serve(make_app: MakeApp, sqlite_url: str) -> Iterator[Serve]:
    with ExitStack() as stack:

        def serve(*more: Revision, **settings: str) -> Site:
            given = {"migrate.on_pending": "page"}
            given |= {name.replace("__", "."): value for name, value in settings.items()}
            ini = make_app(sqlite_url, [*HISTORY, *more], given, extra=SERVER)
            served = stack.enter_context(pserve(ini))
            return Site(f"http://{served.address}", ini, sqlite_url)

        yield serve


def require_fit_for_all(page: Page, axe: str) -> None:
    """Look for faults in light and in dark, on a wide and on a narrow screen."""
    backs = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        backs.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert violations(page, axe) == []
            assert not is_wider_than_the_window(page)
    assert len(backs) == 2


def is_wider_than_the_window(page: Page) -> bool:
    return bool(
        page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    )


def test_the_page_shows_sql_migrates_and_leads_to_the_page_that_was_asked_for(
    serve: Serve, new_page: Any, axe: str, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    waiting = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.05)"
    site = serve(Revision("ccc333", "bbb222", "Wait", upgrade=waiting))
    page: Page = new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.goto(f"{site.address}/?a=1")
    expect(page).to_have_title("Migrations are pending")
    expect(page.get_by_text("<script>alert(1)</script>")).to_be_visible()

    page.get_by_text("SQL", exact=True).first.click()
    expect(page.get_by_text("CREATE TABLE a")).to_be_visible()
    assert site.heads == set()

    require_fit_for_all(page, axe)

    page.get_by_role("button", name="Run the upgrade").click()
    expect(page.get_by_role("status")).to_have_text("The upgrade is running.")
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 2)
    expect(page.get_by_role("log")).to_contain_text("[2/3] bbb222")
    assert violations(page, axe) == []
    flag.touch()
    expect(page.get_by_role("heading", name="Users")).to_be_visible()
    assert page.url == f"{site.address}/?a=1"
    assert site.heads == {"ccc333"}

    bad = tmp_path / "migrations" / "versions" / "bad_.py"
    bad.write_text("revision = 'bad'\ndown_revision = 'gone'\n")
    page.wait_for_timeout(1100)  # what was seen a second ago still counts
    page.goto(f"{site.address}/?a=1")
    expect(page).to_have_title("The migrations can't be read")
    expect(page.get_by_text("follows revision gone, which no file has.")).to_be_visible()
    require_fit_for_all(page, axe)
    assert {url.partition("/_")[0].partition("?")[0] for url in asked} == {
        f"{site.address}/",
        site.address,
    }
    # The application has no /favicon.ico.
    assert [
        fault for fault in faults if not re.search(r"\((Not Found|Service Unavailable)", fault)
    ] == []


def test_the_keyboard_is_enough_and_an_error_is_told(
    serve: Serve, new_page: Any, axe: str, tmp_path: Path
) -> None:
    site = serve(Revision("ccc333", "bbb222", "Fail", upgrade="raise ValueError('no way')"))
    broken = tmp_path / "migrations" / "versions" / "ccc333_.py"
    page: Page = new_page(viewport={"width": 360, "height": 800})
    page.goto(site.address)

    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Run the upgrade")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("can't be written as SQL: ValueError: no way")).to_be_visible()
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("The upgrade failed.")
    expect(page.get_by_role("status")).to_be_focused()
    expect(page.get_by_role("log")).to_contain_text("Error: Revision ccc333 (Fail) failed")
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 2)
    require_fit_for_all(page, axe)
    assert site.heads == {"bbb222"}

    broken.write_text(broken.read_text().replace("raise ValueError('no way')", "pass"))
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", name="Users")).to_be_visible()
    assert site.heads == {"ccc333"}


def test_the_toolbar_has_a_panel_that_says_where_the_database_stands(
    serve: Serve, new_page: Any
) -> None:
    site = serve(migrate__on_pending="warn", pyramid__includes="pyramid_debugtoolbar")
    page: Page = new_page()
    page.goto(f"{site.address}/")
    page.goto(f"{site.address}/_debug_toolbar/")
    page.get_by_role("link", name="Global").click()
    page.get_by_role("link", name="Migrations").click()
    panel = page.locator("#pDebugPanel-migrations-content")
    expect(panel.get_by_text("base (no revision)", exact=True)).to_be_visible()
    expect(panel.get_by_role("cell", name="<script>alert(1)</script>")).to_be_visible()
    expect(panel.get_by_text("myapp-migrate app.ini upgrade", exact=True)).to_be_visible()
    expect(panel.get_by_text("* pending aaa111 (Create the first table)")).to_be_visible()


def test_without_javascript_the_form_works_still(serve: Serve, new_page: Any) -> None:
    site = serve()
    page: Page = new_page(java_script_enabled=False)
    page.goto(f"{site.address}/?b=2")
    page.get_by_text("SQL", exact=True).first.click()
    page.get_by_role("link", name="Show the SQL of aaa111").click()
    expect(page.get_by_text("CREATE TABLE a")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Run the upgrade").click()
    expect(page.get_by_role("heading", name="Users")).to_be_visible()
    assert page.url == f"{site.address}/?b=2"
    assert site.heads == {"bbb222"}

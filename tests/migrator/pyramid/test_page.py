"""The pending page: what it says, who may press its button, and what that does."""

import re
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import alembic.command
import pytest
import webtest
from pyramid.config import Configurator
from pyramid.events import BeforeRender, NewRequest
from pyramid.exceptions import ConfigurationError, URLDecodeError
from pyramid.interfaces import ITweens
from pyramid.response import Response
from support.database import heads
from support.history import MakeApp, Revision, add_revision, create_table
from support.ini import MakeIni, logging_to
from support.web import Served, configured, gunicorn, pserve

from myapp.migrator.config import alembic_config
from myapp.migrator.pyramid.button import local_path

PROJECT = Path(__file__).parents[3]
HISTORY = [
    Revision("aaa111", None, "Create a", **create_table("a")),
    Revision("bbb222", "aaa111", "<script>alert(1)</script>", **create_table("b")),
]
BROKEN = Revision("ccc333", "bbb222", "Fail", upgrade="raise ValueError('no way')")
HTML = {"Accept": "text/html,*/*;q=0.8"}
LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
OWN = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


class Application:
    """An application with the page before it, as the browser of its developer sees it."""

    def __init__(self, ini: Path, url: str, configure: Callable[[Any], object]) -> None:
        self.url = url
        self.migrations = ini.parent / "migrations"
        self.ini = ini
        settings = {
            "sqlalchemy.url": url,
            "alembic.script_location": str(self.migrations),
            "migrate.on_pending": "page",
        }

        def served(config: Configurator) -> None:
            config.set_migration_settings({"__file__": str(ini)}, settings)
            config.add_route("hello", "/hello/{name}")
            config.add_view(lambda request: Response("Hello!"), route_name="hello")
            config.add_static_view("static", str(ini.parent))
            configure(config)

        self.web: webtest.TestApp = configured(settings, served)
        self.web.extra_environ = dict(LOCAL)

    def page(self, path: str = "/hello/you?a=1", **more: Any) -> webtest.TestResponse:
        return self.web.get(path, headers=HTML, expect_errors=True, **more)

    def token(self) -> str:
        found = re.search('name="token" value="(.*?)"', self.page().text)
        assert found
        return found[1]

    def press(
        self,
        headers: dict[str, str] | None = None,
        environ: dict[str, str] | None = None,
        *,
        has_script: bool = False,
        **fields: str,
    ) -> webtest.TestResponse:
        """Send what the button sends, but for what is given."""
        sent = OWN | ({"Accept": "application/x-ndjson"} if has_script else HTML)
        sent |= headers or {}
        given = {"asked": "/hello/you?a=1"} | fields
        if "token" not in given:
            given["token"] = self.token()
        return self.web.post(
            "/_migrations/upgrade",
            given,
            headers={name: value for name, value in sent.items() if value},
            extra_environ=LOCAL | (environ or {}),
            expect_errors=True,
        )

    @property
    def rows(self) -> set[str]:
        return heads(self.url) if Path(self.url.removeprefix("sqlite:///")).exists() else set()


MakePage = Callable[..., Application]


@pytest.fixture
def make_page(make_app: MakeApp, sqlite_url: str) -> MakePage:
    def make(
        *more: Revision, configure: Callable[[Any], object] = lambda config: None
    ) -> Application:
        return Application(make_app(sqlite_url, [*HISTORY, *more]), sqlite_url, configure)

    return make


@pytest.fixture
def app(make_page: MakePage) -> Application:
    return make_page()


def test_the_page_says_what_is_pending_and_what_to_type(app: Application) -> None:
    page = app.page()

    assert page.status_int == 503
    assert "2 revisions are not applied yet." in page.text
    assert "The database stands at base (no revision)." in page.text
    assert f"myapp-migrate {app.ini} upgrade" in page.text
    assert str(app.migrations / "versions" / "aaa111_.py") in page.text
    assert page.text.index("aaa111") < page.text.index("bbb222")
    assert page.headers["Cache-Control"] == "no-store"


def test_a_message_is_text(app: Application) -> None:
    page = app.page().text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_the_page_says_what_the_button_drops_as_the_terminal_asks(make_page: MakePage) -> None:
    drop = Revision("ccc333", "bbb222", "Drop a", upgrade="op.drop_table('a')")
    app = make_page(drop)
    assert "Drops" not in app.page().text  # this run makes the table itself
    alembic.command.upgrade(alembic_config(app.ini), "bbb222")
    app.web.app.registry["migrate.standing"].look()
    assert app.page().html.find("p", class_="drops").text == "Drops table a."


def test_the_page_loads_nothing_and_stands_in_no_frame(app: Application) -> None:
    page = app.page()
    policy = page.headers["Content-Security-Policy"]
    nonce = re.search("script-src 'nonce-(.*?)'", policy)
    assert nonce
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert page.text.count(f'nonce="{nonce[1]}"') == 2
    assert nonce[1] not in app.page().text
    assert re.findall("https?://", page.text) == []


@pytest.mark.parametrize("accept", ["application/json", "*/*", "image/png,*/*;q=0.5", None])
def test_a_program_is_told_as_rfc_9457_has_it(app: Application, accept: str | None) -> None:
    headers = {"Accept": accept} if accept else {}
    answer = app.web.get("/hello/you", headers=headers, status=503)
    assert answer.content_type == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": "Migrations are pending",
        "status": 503,
        "detail": "2 revisions are pending: aaa111 (Create a), bbb222 (<script>alert(1)</script>)."
        " The database stands at base (no revision).\n"
        f"Hint:  apply them with `myapp-migrate {app.ini} upgrade`.",
        "pending": ["aaa111", "bbb222"],
    }


def test_the_page_stands_below_the_path_at_which_the_application_is_mounted(
    app: Application,
) -> None:
    page = app.page("/hello/you", extra_environ={"SCRIPT_NAME": "/mounted"})
    assert 'action="/mounted/_migrations/upgrade"' in page.text
    assert 'href="/mounted/_migrations/sql/aaa111"' in page.text
    assert 'name="asked" value="/mounted/hello/you"' in page.text


def test_the_page_asks_nothing_of_the_application(make_page: MakePage) -> None:
    """What answers for the application may need the tables that are missing."""

    def fail(*_: object) -> None:
        raise AssertionError("the application was asked")

    def configure(config: Configurator) -> None:
        config.add_subscriber(fail, BeforeRender)
        config.add_subscriber(fail, NewRequest)
        config.set_root_factory(fail)

    assert make_page(configure=configure).page().status_int == 503


def change_policy(handler: Callable[[Any], Any], registry: object) -> Callable[[Any], Any]:
    """Return the tween of an application that sets headers of its own."""

    def tween(request: Any) -> Any:
        response = handler(request)
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response

    return tween


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_page_stands_before_the_tweens_of_the_application(
    when: str, app: Application, sqlite_url: str
) -> None:
    settings = {
        "sqlalchemy.url": sqlite_url,
        "alembic.script_location": str(app.migrations),
        "migrate.on_pending": "page",
    }
    with Configurator(settings=settings) as config:
        if when == "before":
            config.add_tween(f"{__name__}.change_policy")
        config.include("myapp.migrator.pyramid")
        if when == "after":
            config.add_tween(f"{__name__}.change_policy")
    web = webtest.TestApp(config.make_wsgi_app(), extra_environ=LOCAL)
    page = web.get("/", headers=HTML, status=503)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_list_of_tweens_has_to_name_the_page(app: Application, sqlite_url: str) -> None:
    name = "myapp.migrator.pyramid.page.pending_page"
    settings = {
        "sqlalchemy.url": sqlite_url,
        "alembic.script_location": str(app.migrations),
        "migrate.on_pending": "page",
        "pyramid.tweens": "pyramid.tweens.excview_tween_factory",
    }
    with pytest.raises(ConfigurationError) as raised:
        configured(settings)
    assert str(raised.value) == (
        "The application does not start. `pyramid.tweens` lists the tweens, and the page of"
        " `migrate.on_pending = page` is not among them.\n"
        f"Hint:  begin the list with `{name}`, or write `migrate.on_pending = warn`."
    )
    listed = configured(settings | {"pyramid.tweens": f"{name} {settings['pyramid.tweens']}"})
    assert listed.get("/", headers=HTML, status=503)


def test_static_files_and_health_pass(app: Application) -> None:
    assert app.web.get("/static/app.ini", headers=HTML, status=200)
    assert app.web.get("/health", headers=HTML, status=503).json["status"] == "pending"


def test_the_button_migrates_and_leads_to_the_page_that_was_asked_for(app: Application) -> None:
    done = app.press()
    assert (done.status_int, done.location) == (303, "http://localhost/hello/you?a=1")
    assert app.rows == {"bbb222"}
    assert done.follow(headers=HTML).text == "Hello!"


def test_a_script_hears_each_line_as_it_comes(app: Application) -> None:
    done = app.press(has_script=True)
    lines = done.text.splitlines()
    assert done.content_type == "application/x-ndjson"
    assert re.match(r'{"line": "\[1/2\] aaa111 Create a  ', lines[0])
    assert lines[-1] == '{"status": 0}'
    assert app.page().text == "Hello!"


def test_a_path_may_be_missing_as_an_empty_one_is_with_some_servers(app: Application) -> None:
    request = webtest.TestRequest.blank("/", environ=LOCAL, headers=HTML)
    del request.environ["PATH_INFO"]
    assert request.get_response(app.web.app).status_int == 503


def test_a_path_that_is_no_utf8_is_the_applications_to_complain_of(app: Application) -> None:
    with pytest.raises(URLDecodeError):
        app.page("/hello/%ff")


def test_a_page_that_was_asked_for_by_post_is_got(app: Application) -> None:
    page = app.web.post("/hello/you?a=1", headers=HTML, status=503)
    assert 'name="asked" value="/hello/you?a=1"' in page.text


@pytest.mark.parametrize(
    "asked", ["//evil.test/", "https://evil.test/", "/\\evil.test", "", "/\n/"]
)
def test_the_button_leads_nowhere_else(asked: str) -> None:
    assert local_path(asked) == "/"


def test_the_button_leads_to_no_other_host(app: Application) -> None:
    assert app.press(asked="//evil.test/").location == "http://localhost/"


def test_a_page_with_the_path_of_another_host_leads_nowhere_else(app: Application) -> None:
    page = app.web.get("/", headers=HTML, extra_environ={"PATH_INFO": "//evil.test/"}, status=503)
    assert "evil.test" not in page.text


def test_the_page_shows_the_commands_own_error(make_page: MakePage) -> None:
    app = make_page(BROKEN)
    failed = app.press()
    assert failed.status_int == 503
    assert "Error: Revision ccc333 (Fail) failed" in failed.html.find(role="alert").text
    assert 'name="asked" value="/hello/you?a=1"' in failed.text
    assert app.rows == {"bbb222"}


def test_a_script_hears_the_commands_own_error(make_page: MakePage) -> None:
    lines = make_page(BROKEN).press(has_script=True).text
    assert "Error: Revision ccc333 (Fail) failed" in lines
    assert lines.endswith('{"status": 1}\n')


@pytest.mark.parametrize(
    ("headers", "environ", "why"),
    [
        ({"Origin": "http://evil.test"}, {}, "The request comes from another site."),
        ({"Origin": "null"}, {}, "The request comes from another site."),
        ({"Origin": "http://localhost:1"}, {}, "The request comes from another site."),
        ({"Sec-Fetch-Site": "cross-site"}, {}, "The request comes from another site."),
        ({"Sec-Fetch-Site": "same-site"}, {}, "The request comes from another site."),
        ({"Origin": "", "Sec-Fetch-Site": ""}, {}, "The request comes from another site."),
        (
            {"Host": "evil.test", "Origin": "http://evil.test"},
            {},
            "The request names another host than localhost.",
        ),
        (
            {"Host": "localhost.evil.test", "Origin": "http://localhost.evil.test"},
            {},
            "The request names another host than localhost.",
        ),
        ({"X-Forwarded-For": "127.0.0.1"}, {}, "The request comes through a proxy."),
        ({"Forwarded": "for=127.0.0.1"}, {}, "The request comes through a proxy."),
        ({"Via": "1.1 proxy"}, {}, "The request comes through a proxy."),
        (
            {"X-Forwarded-For": "127.0.0.1"},
            {"REMOTE_ADDR": "192.0.2.7"},
            "The request does not come from this machine.",
        ),
        ({}, {"REMOTE_ADDR": ""}, "The request does not come from this machine."),
        (
            {},
            {"REMOTE_ADDR": "127.0.0.1, 192.0.2.7"},
            "The request does not come from this machine.",
        ),
    ],
)
def test_nobody_else_may_press_the_button(
    app: Application, headers: dict[str, str], environ: dict[str, str], why: str
) -> None:
    for has_script in (False, True):
        refused = app.press(headers, environ, has_script=has_script)
        assert (refused.status_int, refused.text) == (403, f"{why}\n")
    assert app.rows == set()


def test_this_machine_has_several_names(app: Application) -> None:
    for host in ("127.0.0.1:6543", "[::1]:6543", "app.localhost", "localhost:80"):
        for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
            page = app.page(extra_environ={"REMOTE_ADDR": address, "HTTP_HOST": host})
            assert page.html.find("button") is not None


@pytest.mark.parametrize("cookie", ["", "migrations_token=", "migrations_token=x"])
def test_a_token_without_its_cookie_runs_nothing_and_gives_a_new_one(
    app: Application, cookie: str
) -> None:
    other = {"token": cookie.partition("=")[2] or "of-another"}
    app.web.reset()
    stale = app.press({"Cookie": cookie}, **other)
    assert stale.status_int == 403
    assert "Press the button once more" in stale.html.find(role="alert").text
    assert app.token() in stale.text
    assert app.press(**other, has_script=True).status_int == 403
    assert app.rows == set()


def test_the_cookie_is_for_no_other_site_and_no_script(app: Application) -> None:
    cookie = app.page().headers["Set-Cookie"]
    assert cookie == f"migrations_token={app.token()}; Path=/; HttpOnly; SameSite=Strict"


def test_the_button_is_pressed_by_post(app: Application) -> None:
    assert app.page("/_migrations/upgrade").status_int == 405
    assert app.rows == set()


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"REMOTE_ADDR": "192.0.2.7"}, "The request does not come from this machine."),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, "The request comes through a proxy."),
        ({"HTTP_HOST": "evil.test"}, "The request names another host than localhost."),
    ],
)
def test_others_see_the_page_without_button_token_and_sql(
    app: Application, environ: dict[str, str], why: str
) -> None:
    token, page = app.token(), app.page(extra_environ=environ)
    assert f"{why} So there is no button here" in page.text
    assert "Set-Cookie" not in page.headers
    assert token not in page.text
    assert "upgrade" in page.text
    sql = app.web.get("/_migrations/sql/aaa111", extra_environ=environ, status=403)
    assert sql.text == f"{why}\n"


def tweens(web: webtest.TestApp) -> list[str]:
    return [name for name, _ in web.app.registry.getUtility(ITweens).implicit()]


@pytest.mark.parametrize("on_pending", ["warn", "ignore"])
def test_there_is_no_button_unless_the_setting_asks_for_it(
    app: Application, on_pending: str, sqlite_url: str
) -> None:
    settings = {
        "sqlalchemy.url": sqlite_url,
        "alembic.script_location": str(app.migrations),
        "migrate.on_pending": on_pending,
    }
    other = configured(settings)
    other.extra_environ = dict(LOCAL)
    assert tweens(app.web)[0] == "myapp.migrator.pyramid.page.pending_page"
    assert not any("migrator" in name for name in tweens(other))
    fields = {"token": app.token(), "asked": "/"}
    other.post("/_migrations/upgrade", fields, headers=OWN, status=404)
    assert app.rows == set()


def test_the_sql_of_a_revision_is_that_of_no_other(app: Application) -> None:
    sql = app.web.get("/_migrations/sql/bbb222")
    assert sql.content_type == "text/plain"
    assert re.findall("CREATE TABLE (\\w+)", sql.text) == ["b"]
    assert app.web.get(
        "/_migrations/sql/aaa111", headers={"Sec-Fetch-Site": "cross-site"}, status=403
    )
    assert app.web.get("/_migrations/sql/--help", status=404)
    assert app.rows == set()


def test_a_revision_without_sql_says_why(make_page: MakePage) -> None:
    app = make_page(BROKEN)
    sql = app.web.get("/_migrations/sql/ccc333", status=422)
    assert "Error: Revision ccc333 (Fail) can't be written as SQL: ValueError: no way." in sql.text


def asked_for(served: Served, cookie: str = "", **fields: str) -> tuple[int, HTTPMessage, str]:
    """Ask for the page as a browser does, or press its button."""
    with closing(HTTPConnection(served.address, timeout=20)) as connection:
        headers = HTML | {"Cookie": cookie, "Origin": f"http://{served.address}"}
        if fields:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", "/_migrations/upgrade", urlencode(fields), headers)
        else:
            connection.request("GET", "/?a=1", headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()


def test_a_server_that_embeds_python_finds_the_command(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))  # as uWSGI has it
    assert "CREATE TABLE a" in app.web.get("/_migrations/sql/aaa111").text


def test_two_clicks_at_once_both_lead_to_the_page_whichever_worker_hears_them(
    make_app: MakeApp, sqlite_url: str
) -> None:
    slow = Revision("ccc333", "bbb222", upgrade="import time; time.sleep(0.5)")
    page = {"migrate.on_pending": "page"}
    ini = make_app(sqlite_url, [*HISTORY, slow], page, extra=logging_to("sys.stderr"))
    with gunicorn(ini, "--workers", "3") as served, ThreadPoolExecutor(2) as pool:
        _, headers, text = asked_for(served)
        cookie = headers["Set-Cookie"].partition(";")[0]
        fields = {"token": cookie.partition("=")[2], "asked": "/?a=1"}
        assert fields["token"] in text
        clicks = [pool.submit(asked_for, served, cookie, **fields) for _ in range(2)]
        while not all(click.done() for click in clicks):
            asked_for(served)  # the third worker has just seen what is pending
            time.sleep(0.1)
        answers = [
            (status, headers["Location"])
            for status, headers, _ in (click.result() for click in clicks)
        ]
        assert answers == [(303, f"http://{served.address}/?a=1")] * 2
        assert ["Users" in asked_for(served)[2] for _ in range(6)] == [True] * 6
    assert heads(sqlite_url) == {"ccc333"}


def test_a_broken_versions_folder_is_told_while_the_application_runs(app: Application) -> None:
    app.press()
    assert app.page().text == "Hello!"
    (app.migrations / "versions" / "bad_.py").write_text("revision = 'bad'\ndown_revision = 'gone'")
    app.web.app.registry["migrate.standing"].look()
    page = app.page()
    assert page.status_int == 503
    assert "The migrations can&#39;t be read" in page.text
    assert "gone" in page.html.find("pre", class_="bad").text
    assert page.html.find("button") is None
    assert app.web.get("/hello/you", status=503).json["title"] == "The migrations can't be read"
    (app.migrations / "versions" / "bad_.py").unlink()
    app.web.app.registry["migrate.standing"].look()
    assert app.page().text == "Hello!"


def test_a_versions_folder_that_goes_away_is_told(app: Application) -> None:
    shutil.rmtree(app.migrations / "versions")
    app.web.app.registry["migrate.standing"].look()
    assert "versions" in app.page().html.find("pre", class_="bad").text


def test_a_new_revision_is_seen_while_the_application_runs(app: Application) -> None:
    app.press()
    add_revision(app.migrations, Revision("ddd444", "bbb222", "Later"))
    app.web.app.registry["migrate.standing"].look()
    assert "1 revision is not applied yet." in app.page().text


def test_the_database_is_asked_once_a_second_at_most(app: Application) -> None:
    standing = app.web.app.registry["migrate.standing"]
    began = time.monotonic()
    looks = set()
    for _ in range(50):
        app.page()
        looks.add(standing.latest().at)
    assert len(looks) <= 2 + time.monotonic() - began


def test_the_upgrade_goes_on_when_nobody_listens_any_more(app: Application) -> None:
    fields = {"token": app.token(), "asked": "/"}
    request = webtest.TestRequest.blank("/_migrations/upgrade", environ=LOCAL, POST=fields)
    cookie = {"Cookie": f"migrations_token={fields['token']}"}
    request.headers.update(OWN | {"Accept": "application/x-ndjson"} | cookie)
    answer = app.web.app(request.environ, lambda *started: None)
    next(iter(answer))
    answer.close()
    deadline = time.monotonic() + 30
    while app.rows != {"bbb222"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_pserve_lets_the_page_see_a_proxy(tmp_path: Path) -> None:
    ini = tmp_path / "development.ini"
    text = (PROJECT / "development.ini").read_text()
    ini.write_text(text.replace("listen = localhost:6543", "listen = 127.0.0.1:0"))
    with pserve(ini) as served:
        for headers, has_button in ({}, True), ({"X-Forwarded-For": "127.0.0.1"}, False):
            with closing(HTTPConnection(served.address, timeout=20)) as connection:
                connection.request("GET", "/", headers=HTML | headers)
                page = connection.getresponse().read().decode()
            assert ("</button>" in page) == has_button
            assert ("The request comes through a proxy." in page) != has_button


def test_without_the_path_of_the_ini_file_there_is_no_button(app: Application) -> None:
    token = app.token()
    app.ini.unlink()
    page = app.page()
    assert "The application does not know the path of its .ini file. So there is no" in page.text
    assert app.press(token=token).status_int == 403


def test_the_button_migrates_no_other_database(app: Application, make_ini: MakeIni) -> None:
    make_ini({"sqlalchemy.url": f"{app.url}-other", "alembic.script_location": "x"})
    assert f"For the command, {app.ini} names another database." in app.page().text


def test_the_button_runs_no_other_migrations(app: Application, make_ini: MakeIni) -> None:
    """Two applications of one file, such as those of [composite:main], may share a database."""
    make_ini({"sqlalchemy.url": app.url, "alembic.script_location": "x"})
    assert f"For the command, {app.ini} names other migrations." in app.page().text


def test_a_missing_library_is_told_at_the_start(
    make_page: MakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "myapp.migrator.pyramid.rendering", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigurationError) as raised:
        make_page()
    assert str(raised.value) == (
        "The application does not start. `migrate.on_pending = page` needs Jinja2, which is not"
        " installed.\nHint:  install it with `pip install jinja2`, or write"
        " `migrate.on_pending = warn`."
    )

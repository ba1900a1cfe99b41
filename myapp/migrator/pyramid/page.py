"""A page before the application while revisions are pending, with a button that applies them.

For development: `migrate.on_pending = page` puts it there, and nothing else does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pyramid.exceptions import ConfigurationError
from pyramid.httpexceptions import HTTPMethodNotAllowed, HTTPNotFound, HTTPSeeOther
from pyramid.response import Response
from pyramid.settings import aslist
from pyramid.tweens import INGRESS

from ..base.errors import SettingsError
from ..database.url import engine_url
from ..revisions.drops import drops_of
from ..settings.settings import Settings, load_settings
from .button import COOKIE, STALE, is_cross_site, local_path, token_of, why_not_local, why_refused
from .given import standing_of
from .look import Look
from .passing import Passing
from .running import Running
from .standing import FRESH
from .telling import command, told, wrong

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.registry import Registry
    from pyramid.request import Request

Application = Callable[["Request"], "Response"]

_OURS = "/_migrations/"
_UPGRADE = f"{_OURS}upgrade"
_SQL = f"{_OURS}sql/"
#: A line of this type is what the command says, or at last its exit status.
_LINES = "application/x-ndjson"
_OFFERED = ("application/problem+json", "application/json", "text/html")
_NO_TEMPLATES = """\
The application does not start. `migrate.on_pending = page` needs Jinja2, which is not installed.
Hint:  install it with `pip install jinja2`, or write `migrate.on_pending = warn`."""
_NAME = f"{__name__}.pending_page"
_NOT_LISTED = f"""\
The application does not start. `pyramid.tweens` lists the tweens, and the page of\
 `migrate.on_pending = page` is not among them.
Hint:  begin the list with `{_NAME}`, or write `migrate.on_pending = warn`."""


def includeme(config: Configurator) -> None:
    """Put the page before the application while revisions are pending.

    Raises ConfigurationError when the library for its template is missing, or when the application
    lists its tweens without this one.
    """
    try:
        from .rendering import rendered  # noqa: F401 - so that it is missed now, and not in a request
    except ImportError:
        raise ConfigurationError(_NO_TEMPLATES) from None
    listed = aslist(config.registry.settings.get("pyramid.tweens", ""))
    if listed and _NAME not in listed:
        raise ConfigurationError(_NOT_LISTED)
    # The tween that is added last comes first: so this is done after the application's own actions.
    config.action(None, lambda: config.add_tween(_NAME, under=INGRESS))


def pending_page(application: Application, registry: Registry) -> Application:
    """Return what stands before the application, and leaves a request to it as fast as it can."""
    standing = standing_of(registry)
    page = PendingPage(application, registry)
    now = time.monotonic

    def answer(request: Request) -> Response:
        path: str = request.environ.get("PATH_INFO", "")  # WebOb's takes longer than all the rest
        if now() < standing.settled_until and not path.startswith(_OURS):
            return application(request)
        return page.answer(request)

    return answer


class PendingPage:
    """Answers a request with the page, or leaves it to the application."""

    def __init__(self, application: Application, registry: Registry) -> None:
        self._application = application
        self._standing = standing_of(registry)
        self._passes = Passing(registry)

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        request.environ.setdefault("PATH_INFO", "/")  # which a server may leave out
        try:
            path = request.path_info
        except UnicodeDecodeError:  # which is the application's to complain of
            return self._application(request)
        if path == _UPGRADE:
            return self._upgrade(request)
        if path.startswith(_SQL):
            return self._sql(request, path.removeprefix(_SQL))
        if self._passes(request):
            return self._application(request)
        look = self._standing.latest()
        if look.state not in ("pending", "unreadable"):
            return self._application(request)
        offers = request.accept.acceptable_offers(_OFFERED)
        if not offers or offers[0][0] != "text/html":
            return self._problem(look)
        return self._page(request, look, local_path(request.path_qs))

    def _problem(self, look: Look) -> Response:
        """Return what a program is told, as RFC 9457 has it."""
        error = wrong(look)
        problem: dict[str, Any] = {
            "type": "about:blank",
            "title": _title(look),
            "status": 503,
            "detail": told(error, lambda: self._standing.settings) if error else "",
            "pending": [revision.revision for revision in look.pending],
        }
        response = Response(
            json.dumps(problem), status=503, content_type=_OFFERED[0], charset="utf-8"
        )
        return _private(response)

    def _page(
        self, request: Request, look: Look, asked: str, *, failed: str = "", status: int = 503
    ) -> Response:
        from .rendering import page, policy

        error = wrong(look)
        reason = why_not_local(request) or self._why_not_runnable()
        token = None if reason else token_of(request)
        nonce, text = page(
            title=_title(look),
            standing=look.status.standing if look.status else None,
            error=told(error, lambda: self._standing.settings) if error else "",
            pending=look.pending,
            drops=_drops(look),
            command=f"{command(self._settings())} upgrade",
            asked=asked,
            failed=failed,
            reason=reason,
            token=token,
            upgrade_path=request.script_name + _UPGRADE,
            sql_path=request.script_name + _SQL,
        )
        response = Response(text, status=status, content_type="text/html", charset="utf-8")
        response.headers["Content-Security-Policy"] = policy(nonce)
        response.headers["X-Frame-Options"] = "DENY"
        if token is not None:
            response.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
        return _private(response)

    def _upgrade(self, request: Request) -> Response:
        """Run the command, if the button of the page was pressed."""
        if request.method != "POST":
            return _private(HTTPMethodNotAllowed(headers={"Allow": "POST"}))
        reason = why_refused(request) or self._why_not_runnable()
        has_script = _LINES in request.headers.get("Accept", "")
        if reason == STALE and not has_script:
            asked = local_path(request.POST.get("asked"))
            return self._page(request, self._standing.look(), asked, failed=STALE, status=403)
        if reason:
            return _text(reason, 403)
        asked = local_path(request.POST.get("asked"))
        running = Running(self._standing.settings.path, "upgrade")
        if has_script:
            return _private(Response(app_iter=self._told(request, running), content_type=_LINES))
        lines = list(running.lines())
        look = self._looked_again(request)
        if running.status():
            return self._page(request, look, asked, failed="\n".join(lines))
        return _private(HTTPSeeOther(location=asked))

    def _told(self, request: Request, running: Running) -> Iterator[bytes]:
        """Yield what the command says, a line each, and its exit status at last."""
        for line in running.lines():
            yield _line({"line": line})
        self._looked_again(request)
        yield _line({"status": running.status()})

    def _looked_again(self, request: Request) -> Look:
        """Look at what the command has left, not at what another request was shown meanwhile."""
        ended = time.monotonic()
        if request.environ["wsgi.multiprocess"]:
            time.sleep(FRESH)  # the other processes of the server have to look again, too
        while (look := self._standing.look()).at < ended and look.error is None:
            pass
        return look

    def _sql(self, request: Request, revision: str) -> Response:
        """Return the SQL of one pending revision, or why there is none."""
        if reason := why_not_local(request) or self._why_not_runnable():
            return _text(reason, 403)
        if is_cross_site(request):
            return _text("The request comes from another site.", 403)
        if revision not in {each.revision for each in self._standing.latest().pending}:
            return _private(HTTPNotFound())
        running = Running(self._standing.settings.path, "show", "--sql", "--", revision)
        text = "\n".join(running.lines())
        return _text(text, 422 if running.status() else 200)

    def _settings(self) -> Settings | None:
        with suppress(SettingsError):  # which is then what the look has found
            return self._standing.settings
        return None

    def _why_not_runnable(self) -> str | None:
        """Return why the command can't be run from here, None if it can."""
        settings = self._settings()
        if settings is None or not settings.path.is_file():
            return "The application does not know the path of its .ini file."
        try:
            its_own = load_settings(str(settings.path))
            is_same = engine_url(its_own.url) == engine_url(settings.url)
        except SettingsError:
            return f"The command can't read {settings.path}."
        if not is_same:  # such as that of another section
            return f"For the command, {settings.path} names another database."
        if its_own.alembic != settings.alembic:
            return f"For the command, {settings.path} names other migrations."
        return None


def _title(look: Look) -> str:
    return "Migrations are pending" if look.pending else "The migrations can't be read"


def _drops(look: Look) -> dict[str, str]:
    """Return what each pending revision drops. From base, nothing was there before the run."""
    if look.status is None or not look.status.rows:
        return {}
    return {
        each.revision: ", ".join(drop.text for drop in drops_of(each.path, "upgrade"))
        for each in look.pending
    }


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _text(text: str, status: int) -> Response:
    return _private(
        Response(f"{text.rstrip()}\n", status=status, content_type="text/plain", charset="utf-8")
    )


def _private(response: Response) -> Response:
    """Keep an answer from caches, from other sites, and from being taken for another type."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response

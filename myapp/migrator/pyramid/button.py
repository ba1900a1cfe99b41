"""Who may press the button of the pending page: a person at this machine, on the page itself."""

from __future__ import annotations

import hmac
import re
import secrets
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pyramid.request import Request

#: What a proxy adds to the requests that it passes on.
_OF_PROXIES = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_", "HTTP_X_REAL_IP", "HTTP_VIA")

#: A cookie that no other site makes a browser send, so that any process of a server can check the
#: token of a page that another one has made, also after a start.
COOKIE = "migrations_token"
_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)
STALE = (
    "The page and its cookie do not belong together. Press the button once more; the browser has to"
    " allow cookies."
)


def why_not_local(request: Request) -> str | None:
    """Return why a request does not come from this machine, None if it does.

    `REMOTE_ADDR` tells it, which is the server's own word; no header is believed. The name in
    `Host` is checked too: any name may lead to 127.0.0.1 (DNS rebinding).
    """
    environ = request.environ
    if not _is_loopback(environ.get("REMOTE_ADDR", "")):
        return "The request does not come from this machine."
    if any(name.startswith(_OF_PROXIES) for name in environ):
        return "The request comes through a proxy."
    if not _is_own_name(environ.get("HTTP_HOST", "")):
        return "The request names another host than localhost."
    return None


def token_of(request: Request) -> str:
    """Return the token in a browser's cookie, or a new one for its cookie and its page."""
    token: str = request.cookies.get(COOKIE, "")
    return token if _TOKEN.fullmatch(token) else secrets.token_urlsafe(32)


def why_refused(request: Request) -> str | None:
    """Return why a request may not run the upgrade, None if it may. The body is read last."""
    if reason := why_not_local(request):
        return reason
    if not _is_of_this_page(request):
        return "The request comes from another site."
    given = request.POST.get("token", "")
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode(), token_of(request).encode()
    ):
        return STALE
    return None


def is_cross_site(request: Request) -> bool:
    """Tell whether a browser says that another site has asked for this."""
    return request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


def local_path(text: object) -> str:
    """Return where to go back to, which is `/` unless `text` is a path of this application."""
    if not isinstance(text, str) or not text.startswith("/") or text.startswith("//"):
        return "/"
    return text if text.isascii() and text.isprintable() and "\\" not in text else "/"


def _is_of_this_page(request: Request) -> bool:
    """Tell whether a browser says that a page of this origin has sent it. One word is needed."""
    origin: str | None = request.headers.get("Origin")
    site: str | None = request.headers.get("Sec-Fetch-Site")
    if origin is None:
        return site == "same-origin"
    return bool(origin == request.host_url) and site in (None, "same-origin")


def _is_loopback(address: str) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_loopback


def _is_own_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)

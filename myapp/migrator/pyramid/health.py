"""A view that says whether the database fits the code, for load balancers and deploys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED

from .given import standing_of
from .look import Look
from .standing import Standing

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

ROUTE = "migration_health"
_METHODS = ("GET", "HEAD")


def add_migration_health(config: Configurator, path: str, timeout: float = 2.0) -> None:
    """Answer at `path` whether the database fits the code, within `timeout` seconds.

    The status is 200, or 503 where the application would better not be asked.
    """

    def health(context: object, request: Request) -> Response:
        if request.method not in _METHODS:
            return HTTPMethodNotAllowed(headers={"Allow": ", ".join(_METHODS)})
        standing = standing_of(request.registry)
        look = standing.look(timeout)
        response = Response(
            json.dumps(document(look)),
            status=200 if _is_healthy(look, standing) else 503,
            content_type="application/json",
            charset="utf-8",
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    # The application's own root and permissions may need the database.
    config.add_route(ROUTE, path, factory=lambda request: None)
    config.add_view(health, route_name=ROUTE, permission=NO_PERMISSION_REQUIRED)


def document(look: Look) -> dict[str, Any]:
    """Return what is told of a look. What is not known is None."""
    status = look.status
    return {
        "status": look.state,
        "reachable": status is not None,
        "revision": sorted(status.rows) if status else None,
        "heads": sorted(look.code.heads) if look.code else None,
        "pending": len(status.pending) if status and not status.unknown else None,
        "ahead": bool(status.unknown) if status else None,
    }


def _is_healthy(look: Look, standing: Standing) -> bool:
    """Tell whether the application may be asked. Newer code may have migrated the database."""
    return look.state == "ok" or (look.state == "ahead" and standing.options.on_ahead == "allow")

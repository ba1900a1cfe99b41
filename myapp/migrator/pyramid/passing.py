"""Which requests need no database: those for static files, for health, and for the toolbar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyramid.interfaces import IRoutesMapper
from pyramid.static import static_view

from .health import ROUTE

if TYPE_CHECKING:
    from pyramid.registry import Registry
    from pyramid.request import Request

#: pyramid_debugtoolbar answers these by itself.
_TOOLBAR = "/_debug_toolbar/"


class Passing:
    """Knows the routes of one application that its pending migrations leave alone."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._by_name: dict[str, bool] = {ROUTE: True}

    def __call__(self, request: Request) -> bool:
        """Tell whether a request passes."""
        if request.path_info.startswith(_TOOLBAR):
            return True
        mapper = self._registry.queryUtility(IRoutesMapper)
        route = mapper(request)["route"] if mapper is not None else None
        if route is None:
            return False
        if route.name not in self._by_name:
            self._by_name[route.name] = self._is_static(route.name)
        return self._by_name[route.name]

    def _is_static(self, name: str) -> bool:
        introspector = self._registry.introspector
        route = introspector.get("routes", name)
        related = introspector.related(route) if route is not None else ()
        views = [each["callable"] for each in related if each.category_name == "views"]
        return bool(views) and all(isinstance(view, static_view) for view in views)

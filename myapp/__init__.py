"""A Pyramid application that carries its own migration command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyramid.router import Router

__version__ = "0.1.0"


def main(global_config: Mapping[str, str], **settings: str) -> Router:
    """Return the WSGI application for the `[app:main]` section of an .ini file."""
    # The migration command is a part of this package, and must not pay for the web framework.
    from pyramid.config import Configurator

    from .migrator.settings.variables import expand_variables

    with Configurator(settings=expand_variables(settings)) as config:
        config.include(".migrator.pyramid")
        config.set_migration_settings(global_config, settings)
        config.add_migration_health("/health")
        config.include(".models")
        config.include(".views")
        return config.make_wsgi_app()

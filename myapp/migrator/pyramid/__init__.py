"""What a running Pyramid application knows of its migrations: a guard at its start, and health.

    config.include(".migrator.pyramid")
    config.set_migration_settings(global_config, settings)
    config.add_migration_health("/health")

This is the only part of the engine that imports Pyramid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import SettingsError
from ..settings.options import read_options
from ..settings.variables import Expanded
from .hushing import hushed

with hushed():
    from .given import STANDING, given_settings, migrate_settings, set_migration_settings
    from .guard import at_the_start, guard, not_started
    from .health import add_migration_health
    from .standing import Standing

if TYPE_CHECKING:
    from pyramid.config import Configurator

_PANELS = "debugtoolbar.extra_global_panels"


def includeme(config: Configurator) -> None:
    """Guard the start of the application, and add the directives.

    Raises ConfigurationError when a `migrate.*` setting is wrong.
    """
    try:
        options = read_options(Expanded(migrate_settings(config.registry), "migrate."))
    except SettingsError as error:
        raise not_started(error, lambda: given_settings(config.registry)) from None
    config.registry[STANDING] = Standing(config.registry, options)
    config.add_directive("set_migration_settings", set_migration_settings)
    config.add_directive("add_migration_health", add_migration_health)
    at_the_start(config.registry, guard)
    if options.on_pending == "page":
        config.include(".page")
    _add_panel(config)


def _add_panel(config: Configurator) -> None:
    """Give pyramid_debugtoolbar the panel, whether it is included before or after this, or never.

    It reads this setting, and imports what it names, when it wraps the application.
    """
    given = config.registry.settings.get(_PANELS) or []
    panels = given.split() if isinstance(given, str) else list(given)
    config.registry.settings[_PANELS] = [*panels, f"{__name__}.panel.MigrationsPanel"]

"""The settings that an application was given, as the command reads them from its .ini file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..settings.settings import Settings, application_settings

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.registry import Registry

    from .standing import Standing

#: Where the registry has the application's one `Standing`.
STANDING = "migrate.standing"
_GIVEN = "migrate.given"
_MIGRATE = "migrate."
_OURS = ("sqlalchemy.", "alembic.", _MIGRATE)


def set_migration_settings(
    config: Configurator,
    global_config: Mapping[str, str],
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Say where the .ini file is, by what PasteDeploy has given the application's factory.

    Without `settings`, those of the registry count.
    """

    def remember() -> None:
        config.registry[_GIVEN] = (global_config, settings)

    config.action(_GIVEN, remember)


def standing_of(registry: Registry) -> Standing:
    """Return what knows where the database of this application stands."""
    standing: Standing = registry[STANDING]
    return standing


def migrate_settings(registry: Registry) -> dict[str, str]:
    """Return the `migrate.*` settings of an application, without the prefix."""
    ours = _ours(registry.settings or {})
    return {
        key.removeprefix(_MIGRATE): value for key, value in ours.items() if key.startswith(_MIGRATE)
    }


def given_settings(registry: Registry) -> Settings:
    """Return the settings of an application that has been configured.

    Raises SettingsError.
    """
    settings = registry.settings or {}
    # Some factories put both of what they are given into the registry.
    global_config, given = registry.get(_GIVEN, (settings, None))
    variables = {key: value for key, value in global_config.items() if isinstance(value, str)}
    return application_settings(variables, _ours(settings if given is None else given))


def _ours(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return those that count here, as the text of an .ini file.

    An application may have put objects in their place.
    """
    return {
        key: _as_text(value)
        for key, value in settings.items()
        if key.startswith(_OURS) and value is not None
    }


def _as_text(value: Any) -> str:
    if hasattr(value, "render_as_string"):  # a URL of SQLAlchemy, whose text hides the password
        return str(value.render_as_string(hide_password=False))
    return str(value)

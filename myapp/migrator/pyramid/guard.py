"""What happens at the start of an application whose database is not where its code expects it."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from pyramid.events import ApplicationCreated
from pyramid.exceptions import ConfigurationError

from ..base.attempts import attempts
from ..base.errors import DatabaseUnreachable, MigrateError, SettingsError
from ..settings.settings import Settings
from .asking import Look
from .given import standing_of
from .standing import Standing
from .telling import told, wrong

logger = logging.getLogger(__name__)

#: How many seconds a database has for its answer at the start, as it has to accept a connection.
_SECONDS = 10.0
#: How many of them the last try has, even if less of `migrate.wait_db` is left.
_LEAST = 1.0


def guard(event: ApplicationCreated) -> None:
    """Refuse the start, or tell, as `migrate.on_pending` and `migrate.on_ahead` say.

    Raises ConfigurationError.
    """
    standing = standing_of(event.app.registry)
    options = standing.options
    if options.on_pending == "ignore" and options.on_ahead == "allow":
        return
    look = _looked(standing)
    error = wrong(look)
    if error is None:
        return
    settings = _settings(standing)
    if (options.on_ahead if look.state == "ahead" else options.on_pending) == "refuse":
        raise not_started(error, settings)
    if look.state == "ahead":
        error.hint = None  # a rolling deploy looks like that
    if options.on_pending != "ignore":
        logger.warning("%s", " ".join(told(error, settings, " Hint: ").split()))


def not_started(error: MigrateError, settings: Settings | None = None) -> ConfigurationError:
    """Return the exception that keeps the application from starting.

    With another kind, or `sys.exit()`, gunicorn would start its workers again and again.
    """
    return ConfigurationError(f"The application does not start. {told(error, settings)}")


def _looked(standing: Standing) -> Look:
    """Look, and wait for a database that can't be reached if the start is refused without it."""
    options = standing.options
    waited = options.wait_db if options.on_pending == "refuse" else 0.0
    deadline = time.monotonic() + waited
    for is_last in attempts(waited):
        left = max(deadline - time.monotonic(), _LEAST)
        look = standing.look(min(left, _SECONDS) if waited else _SECONDS)
        is_passing = isinstance(look.error, DatabaseUnreachable) and look.error.retryable
        if is_last or not is_passing:
            return look
    raise AssertionError("attempts() ends with a last one")


def _settings(standing: Standing) -> Settings | None:
    with suppress(SettingsError):
        return standing.settings
    return None

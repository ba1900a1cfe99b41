"""What happens at the start of an application whose database is not where its code expects it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from pyramid.exceptions import ConfigurationError
from pyramid.interfaces import IApplicationCreated

from ..base.attempts import attempts
from ..base.errors import DatabaseUnreachable, MigrateError
from ..settings.settings import Settings
from .given import standing_of
from .look import Look
from .standing import Standing
from .telling import in_one_line, told, wrong

if TYPE_CHECKING:
    from pyramid.registry import Registry

logger = logging.getLogger(__name__)

#: How many seconds a database has for its answer at the start, as it has to accept a connection.
_SECONDS = 10.0
#: How many of them the last try has, even if less of `migrate.wait_db` is left.
_LEAST = 1.0


def at_the_start(registry: Registry, act: Callable[[Standing], None]) -> None:
    """Call `act` when the application has been made.

    A registry with a listener sends four events with each request, which takes a small application
    a fifth of its time. So this one goes away again.
    """

    def listen(event: object) -> None:
        registry.unregisterHandler(listen, (IApplicationCreated,))
        others = chain(registry.registeredHandlers(), registry.registeredSubscriptionAdapters())
        registry.has_listeners = any(True for _ in others)
        act(standing_of(registry))

    registry.registerHandler(listen, (IApplicationCreated,))


def guard(standing: Standing) -> None:
    """Refuse the start, or tell, as `migrate.on_pending` and `migrate.on_ahead` say.

    Raises ConfigurationError.
    """
    options = standing.options
    if options.on_pending == "ignore" and options.on_ahead == "allow":
        with suppress(MigrateError):  # whoever asks is told
            standing.read_code()
        return
    look = _looked(standing)
    error = wrong(look)
    if error is None:
        return
    if (options.on_ahead if look.state == "ahead" else options.on_pending) == "refuse":
        raise not_started(error, lambda: standing.settings)
    if look.state == "ahead":
        error.hint = None  # nothing is to be done: a rolling deploy looks like that
    # What can't be asked is told by who has asked.
    if error is not look.error and options.on_pending != "ignore":
        logger.warning("%s", in_one_line(error, lambda: standing.settings))


def not_started(error: MigrateError, settings: Callable[[], Settings]) -> ConfigurationError:
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

"""Errors as an application's log and its exceptions show them: with the command, and no secret."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points

from ..base.errors import DatabaseAhead, MigrateError, PendingMigrations, SettingsError
from ..settings.redaction import Redactor
from ..settings.settings import Settings
from ..settings.url_secrets import secrets_in_settings
from .look import Look

#: How many pending revisions are named.
_LISTED = 10
_PACKAGE = __name__.partition(".")[0]


def wrong(look: Look) -> MigrateError | None:
    """Return what is wrong with a database, None if it is at the heads."""
    if look.code is None or look.status is None:
        return look.error
    try:
        look.code.history.require_known(look.status.rows)
    except DatabaseAhead as error:
        return error
    if not look.pending:
        return None
    count = len(look.pending)
    named = ", ".join(revision.title for revision in look.pending[:_LISTED])
    more = f" and {count - _LISTED} more" if count > _LISTED else ""
    return PendingMigrations(
        f"{count} revision{' is' if count == 1 else 's are'} pending: {named}{more}."
        f" The database stands at {look.status.standing}.",
        hint=f"apply {'it' if count == 1 else 'them'} with `{{cmd}} upgrade`.",
    )


def told(error: MigrateError, settings: Callable[[], Settings]) -> str:
    """Return what `error` says, and its hint in a line of its own, without secrets."""
    return _told(error, settings, "\nHint:  ")


def in_one_line(error: MigrateError, settings: Callable[[], Settings]) -> str:
    """Return the same in one line, as a log has it."""
    return " ".join(_told(error, settings, " Hint: ").split())


def _told(error: MigrateError, settings: Callable[[], Settings], before_hint: str) -> str:
    known = None
    with suppress(SettingsError):  # which is then what is told
        known = settings()
    hint = f"{before_hint}{error.hint}" if error.hint else ""
    text = f"{error.message}{hint}".replace("{cmd}", command(known))
    redactor = Redactor()
    if known is not None:
        redactor.add(secrets_in_settings(known.engine_options.known()))
    return redactor.redact(text)


def command(settings: Settings | None) -> str:
    """Return the command line up to the subcommand."""
    scripts = entry_points(group="console_scripts")
    named = [each.name for each in scripts if each.value.startswith(f"{_PACKAGE}.scripts.")]
    path = str(settings.path) if settings is not None and settings.path.is_file() else "CONFIG_URI"
    near = os.path.relpath(path)
    typed = shlex.quote(path if near.startswith("..") else near)
    return f"{next(iter(named), f'{_PACKAGE}-migrate')} {typed}"

"""One invocation: what was asked for, where the story goes, and how an error ends it."""

import gc
import json
import logging
import logging.config
import sys
import traceback
from collections.abc import Iterator
from configparser import Error as IniError
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..migrator.canceller import Canceller
from ..migrator.errors import MigrateError, SettingsError
from ..migrator.redaction import Redactor

if TYPE_CHECKING:
    from alembic.config import Config

    from ..migrator.settings import Settings

_WRITES = {"upgrade", "downgrade", "stamp", "ensure-version"}


@dataclass
class Session:
    """The options that every command shares, and what follows from them."""

    config_uri: str = "CONFIG_URI"
    config_vars: dict[str, str] = field(default_factory=dict)
    x: list[str] = field(default_factory=list)
    command: str | None = None
    json: bool = False
    verbose: bool = False
    quiet: bool = False
    traceback: bool = False
    color: bool | None = None
    lock_wait: float | None = None
    wait_db: float | None = None
    canceller: Canceller = field(default_factory=Canceller)
    redactor: Redactor = field(default_factory=Redactor)

    def config(self, **cmd_opts: Any) -> "Config":
        """Build Alembic's Config for the .ini file, with its logging set up.

        Raises SettingsError.
        """
        with _collecting_later():
            from ..migrator.config import build_config
            from ..migrator.settings import load_settings
            from ..migrator.url import secrets_in

        from .progress import Terminal

        settings = self._overridden(load_settings(self.config_uri, self.config_vars))
        for url in (settings.url if settings.has_url else "", settings.options.lock_url):
            self.redactor.add(secrets_in(url))
        self._set_up_logging(settings)
        return build_config(
            settings,
            x=self.x,
            application=f"myapp-migrate {self.command}",
            watcher=Terminal(self),
            canceller=self.canceller,
            cmd=self.command,
            **cmd_opts,
        )

    def _overridden(self, settings: "Settings") -> "Settings":
        given = {"lock_wait": self.lock_wait, "wait_db": self.wait_db}
        changes: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        return replace(settings, options=replace(settings.options, **changes))

    def _set_up_logging(self, settings: "Settings") -> None:
        here = {"here": str(settings.path.parent), "__file__": str(settings.path)}
        try:
            if settings.has_logging:
                logging.config.fileConfig(
                    settings.path,
                    {**here, **settings.config_vars},
                    disable_existing_loggers=False,
                    encoding="utf-8",
                )
            else:
                logging.basicConfig(force=True)
        except (IniError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            cause = error.__cause__ or error
            raise SettingsError(
                f"The logging sections of {settings.path} can't be used: {cause}.",
                hint="mend [loggers], [handlers] and [formatters]; a log file's folder must exist.",
            ) from error
        if self.verbose and self.command in _WRITES:
            logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
        if self.quiet:
            logging.getLogger().setLevel(logging.ERROR)
            logging.getLogger("alembic").setLevel(logging.ERROR)

    @contextmanager
    def story(self) -> Iterator[None]:
        """Send all that is printed or logged within to standard error, without secrets.

        Migrations, env.py and Alembic print as they like; standard output is for the answer alone.
        """
        stream = _Story(sys.stderr, self.redactor)
        with redirect_stdout(stream), redirect_stderr(stream), self.redactor.in_logs():
            yield

    def answer(self, result: object) -> None:
        """Write a command's result to standard output."""
        from . import output

        if self.json:
            write_json(output.as_json(self.command, result))
        elif text := output.as_text(result, verbose=self.verbose, quiet=self.quiet):
            click.echo(text, nl=not text.endswith("\n"), color=self.color)
        sys.stdout.flush()

    def fail(self, error: BaseException) -> int:
        """Tell of `error` and return the exit status."""
        told = error if isinstance(error, MigrateError) else _unexpected(error)
        if self.traceback:
            lines = "".join(traceback.format_exception(error))
            click.echo(self.redactor.redact(lines), err=True, nl=False)
        redact, message, hint = self.redactor.redact, told.message, told.hint or None
        if hint:
            hint = hint.replace("{cmd}", f"myapp-migrate {self.config_uri}")
        if self.json:
            details = json.loads(redact(json.dumps(dict(told.details), default=str)))
            failure = {
                "code": told.code,
                "exit_code": told.exit_code,
                "message": redact(message),
                "hint": redact(hint) if hint else None,
                **details,
            }
            write_json({"command": self.command, "ok": False, "error": failure})
        else:
            label = click.style("Error:", fg="red", bold=True)
            click.echo(f"{label} {_indented(redact(message))}", err=True, color=self.color)
            if hint:
                label = click.style("Hint:", fg="cyan", bold=True)
                click.echo(f"{label}  {_indented(redact(hint))}", err=True, color=self.color)
        return told.exit_code

    def warn(self, message: str) -> None:
        """Tell of something that didn't stop the command."""
        if not self.quiet:
            label = click.style("Warning:", fg="yellow", bold=True)
            click.echo(f"{label} {self.redactor.redact(message)}", err=True, color=self.color)


def write_json(document: dict[str, Any]) -> None:
    """Write one JSON document to standard output."""
    click.echo(json.dumps(document, indent=2))


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Import without garbage collections, which find nothing and cost a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


class _Story:
    """Standard error for whoever prints: redacted, and never a reason to stop a migration."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._redactor = redactor

    def write(self, text: str) -> int:
        # Where nobody reads it any more, or its disk is full, the run is worth more.
        with suppress(OSError):
            self._stream.write(self._redactor.redact(text))
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _unexpected(error: BaseException) -> MigrateError:
    reason = " ".join(str(error).split())
    return MigrateError(
        f"Unexpected {type(error).__name__}{f': {reason}' if reason else ''}. This is a bug, or"
        " something that this command doesn't know of.",
        hint="add `--traceback` to see where it came from.",
    )


def _indented(text: str) -> str:
    return text.replace("\n", "\n       ")

"""One invocation: what was asked for, where the story goes, and how an error ends it."""

import logging
import shlex
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from ..migrator.base.canceller import Canceller
from ..migrator.base.errors import MigrateError, SettingsError, UsageError
from ..migrator.base.legible import legible
from ..migrator.base.shortening import readable
from ..migrator.settings.redaction import MASK, Redactor
from .endings import unexpected
from .imports import imported
from .story import Story, telling
from .streams import discard, write_json, write_sql

if TYPE_CHECKING:
    from ..migrator.bridge.context import RunContext
    from ..migrator.commands.quick import QuickSource
    from ..migrator.settings.settings import Settings


_WRITES = {"upgrade", "downgrade", "stamp", "ensure-version"}


@dataclass
class Session:
    """The options that every command shares, and what follows from them."""

    config_uri: str = "CONFIG_URI"
    config_vars: dict[str, str] = field(default_factory=dict, repr=False)
    x: list[str] = field(default_factory=list)
    command: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    json: bool = False
    verbose: bool = False
    quiet: bool = False
    traceback: bool = False
    color: bool | None = None
    lock_wait: float | None = None
    wait_db: float | None = None
    canceller: Canceller = field(default_factory=Canceller)
    redactor: Redactor = field(default_factory=Redactor)
    in_step: bool = False
    began: float = field(default_factory=time.monotonic)
    _settings: "Settings | None" = field(default=None, repr=False)

    def context(self, asked: "QuickSource | None" = None, **cmd_opts: Any) -> "RunContext":
        """Build what a command works with, for the .ini file, with its logging set up.

        What `asked` has read is not read again. An env.py finds the command's own options in
        `config.cmd_opts`, and those given here.

        Raises SettingsError.
        """
        from ..migrator.bridge.configuration import build_context
        from ..migrator.revisions.tested import untested_alembic
        from .progress import Terminal

        imported()
        if self.verbose and (sentence := untested_alembic()):
            self.warn(sentence)
        cmd_opts = {"verbose": self.verbose, **self.options, **cmd_opts}
        return build_context(
            self.settings(),
            x=self.x,
            application=f"myapp-migrate {self.command}",
            watcher=Terminal(self),
            canceller=self.canceller,
            command=self.command,
            quiet=True,
            reading=asked.reading if asked else None,
            rows=asked.rows_found if asked else None,
            **cmd_opts,
        )

    def left_of(self, seconds: float) -> float:
        """Return what is left of a time that began with the command."""
        return max(self.began + seconds - time.monotonic(), 0.0)

    def settings(self) -> "Settings":
        """Read the .ini file, learn its secrets and set up its logging, at the first call.

        Raises SettingsError.
        """
        if self._settings is not None:
            return self._settings
        from ..migrator.settings.settings import load_settings

        learn = self.redactor.add
        settings = self._overridden(load_settings(self.config_uri, self.config_vars, learn=learn))
        self.redactor.add_parts(settings.config_vars.values())
        self._set_up_logging(settings)
        for warning in settings.warnings:
            self.warn(warning)
        self._settings = settings
        return settings

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
                from logging.config import fileConfig  # takes longer to import than `--help`

                fileConfig(
                    settings.path,
                    {**here, **settings.config_vars},
                    disable_existing_loggers=False,
                    encoding="utf-8",
                )
            else:
                logging.basicConfig(force=True)
        # A handler's `class` and `args` are Python, which may raise anything.
        except (Exception, SystemExit) as error:
            from ..migrator.database.failures import described

            raise SettingsError(
                f"The logging sections of {settings.path} can't be used:"
                f" {described(error.__cause__ or error)}.",
                hint="fix [loggers], [handlers] and [formatters]; a log file's folder must exist.",
            ) from error

    @property
    def stderr(self) -> Story:
        """Standard error, for what the command itself has to tell."""
        return sys.stderr if isinstance(sys.stderr, Story) else Story(sys.stderr, self.redactor)

    @contextmanager
    def story(self) -> Iterator[None]:
        """Send all that is printed or logged within to standard error, without secrets."""
        story, disabled = self.stderr, logging.root.manager.disable
        with ExitStack() as stack:
            stack.enter_context(telling(story))
            stack.enter_context(self.redactor.in_logs())
            if self.quiet:
                # Not a logger's level: an env.py that reads the .ini file's logging sections
                # again would set it back.
                stack.callback(logging.disable, disabled)
                logging.disable(logging.WARNING)
            if self.verbose and self.command in _WRITES:
                from ..migrator.database.statements import statements_told

                stack.enter_context(statements_told(self._show_statement))
            yield

    def answer(self, result: object) -> None:
        """Write a command's result to standard output."""
        from . import document, output

        if self.json:
            write_json(document.result_document(self.command, result))
        elif isinstance(result, str):
            write_sql(result)
        elif text := output.as_text(result, verbose=self.verbose, quiet=self.quiet):
            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
            click.echo(text, nl=not text.endswith("\n"), color=self.color)

    def fail(self, error: BaseException) -> int:
        """Tell of `error` and return the exit status."""
        told = error if isinstance(error, MigrateError) else unexpected(error)
        redact = self._shown
        hint = redact(told.hint or "").replace("{cmd}", self._command_line())
        if self.traceback:
            self.stderr.write(legible(redact("".join(traceback.format_exception(error)))))
        if self.json:
            from .document import error_document

            with suppress(UsageError), self.stdout():
                write_json(error_document(self.command, told, hint, redact))
        if not self.json:
            self._tell("Error:", "red", redact(told.message))
            if hint:
                self._tell("Hint: ", "cyan", hint)
        return told.exit_code

    def warn(self, message: str) -> None:
        """Tell of something that didn't stop the command."""
        if not self.quiet:
            self._tell("Warning:", "yellow", self.redactor.redact(message))

    def _shown(self, text: str) -> str:
        return readable(self.redactor.redact(text))

    def _show_statement(self, sql: str) -> None:
        is_asking = sql.upper().startswith(("SELECT", "PRAGMA", "SHOW"))
        # What is asked between the revisions is this command's own business.
        if (self.in_step or not is_asking) and not sql.startswith("BEGIN"):
            self.stderr.write(indent(legible(self._shown(sql)), "    ") + "\n")

    @contextmanager
    def stdout(self) -> Iterator[None]:
        """Let standard output be written within; a reader who has gone has seen enough.

        Raises UsageError when it can't be written.
        """
        try:
            yield
        except OSError as error:
            # Python flushes it once more at exit, and would complain then.
            with suppress(OSError, ValueError):
                discard(sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                return
            self.json = False  # standard error is left
            raise UsageError(
                f"Standard output can't be written: {error.strerror}. The command has done its"
                " work, but its answer is lost.",
                hint="send it where there is room; `{cmd} current` tells where the database"
                " stands.",
            ) from error

    def _command_line(self) -> str:
        """Return what to type before a subcommand, for use in a hint."""
        redact = self.redactor.redact
        variables = [
            # Until the settings are known, any of them may be a part of a password.
            f"{name}={redact(value) if self._settings else MASK}"
            for name, value in self.config_vars.items()
        ]
        words = ["myapp-migrate", redact(self.config_uri), *map(redact, variables)]
        return " ".join(map(_quoted, words))

    def _tell(self, label: str, color: str, message: str) -> None:
        indented = legible(message).replace("\n", "\n       ")
        styled = click.style(label, fg=color, bold=True)
        self.stderr.write_line(f"{styled} {indented}", color=self.color)


def _quoted(word: str) -> str:
    """Quote a word for the shell, but not for the sake of a secret that is left out."""
    rest = word.replace(MASK, "")
    return word if rest and shlex.quote(rest) == rest else shlex.quote(word)

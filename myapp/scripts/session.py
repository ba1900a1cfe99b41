"""One run of the command line: from what was typed to what a command works with."""

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..migrator.base.canceller import Canceller
from ..migrator.base.errors import SettingsError
from .console import Console
from .imports import imported
from .invocation import Invocation

if TYPE_CHECKING:
    from ..migrator.bridge.context import RunContext
    from ..migrator.commands.quick import QuickSource
    from ..migrator.settings.settings import Settings


class Session:
    """What each command is given: what was typed, the terminal, and the settings."""

    def __init__(self, typed: Invocation | None = None) -> None:
        self.typed = typed or Invocation()
        self.console = Console(self.typed)
        self.canceller = Canceller()
        self._settings: Settings | None = None

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
        settings = self.settings()
        if not settings.has_logging:
            self._log_to_stderr()
        if self.typed.verbose and (sentence := untested_alembic()):
            self.console.warn(sentence)
        cmd_opts = {"verbose": self.typed.verbose, **self.typed.options, **cmd_opts}
        return build_context(
            settings,
            x=self.typed.x,
            application=f"myapp-migrate {self.typed.command}",
            watcher=Terminal(self.console),
            canceller=self.canceller,
            command=self.typed.command,
            quiet=True,
            reading=asked.reading if asked else None,
            table=asked.table if asked else None,
            **cmd_opts,
        )

    def settings(self) -> "Settings":
        """Read the .ini file, learn its secrets and set up its logging sections, at the first call.

        Raises SettingsError.
        """
        if self._settings is not None:
            return self._settings
        from ..migrator.settings.settings import load_settings

        learn = self.console.redactor.add
        try:
            loaded = load_settings(self.typed.config_uri, self.typed.config_vars, learn=learn)
        except SettingsError as error:
            if self.typed.ini_variable and not os.path.isfile(self.typed.ini_path):
                error.message += f" {self.typed.ini_variable} names it."
            raise
        settings = self._overridden(loaded)
        self.console.redactor.add_parts(settings.config_vars.values())
        if settings.has_logging:
            self._log_as_the_file_says(settings)
        elif "logging" in sys.modules:
            self._log_to_stderr()
        for warning in settings.warnings:
            self.console.warn(warning)
        self.console.are_secrets_known = True
        self._settings = settings
        return settings

    def _overridden(self, settings: "Settings") -> "Settings":
        given = {"lock_wait": self.typed.lock_wait, "wait_db": self.typed.wait_db}
        changes: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        return replace(settings, options=replace(settings.options, **changes))

    def _log_to_stderr(self) -> None:
        self.console.expect_logs()
        from logging import basicConfig

        basicConfig(force=True)

    def _log_as_the_file_says(self, settings: "Settings") -> None:
        from logging.config import fileConfig  # takes longer to import than `--help`

        self.console.expect_logs()
        here = {"here": str(settings.path.parent), "__file__": str(settings.path)}
        try:
            fileConfig(
                settings.path,
                {**here, **settings.config_vars},
                disable_existing_loggers=False,
                encoding="utf-8",
            )
        except OSError as error:  # of a handler that opens something at its birth, and is no file
            from .log_handlers import why

            self.console.warn(
                f"the logging sections of {settings.path} can't be used: {why(error)}."
                " What is logged goes to standard error."
            )
            self._log_to_stderr()
        # A handler's `class` and `args` are Python, which may raise anything.
        except (Exception, SystemExit) as error:
            from ..migrator.database.failures import described

            raise SettingsError(
                f"The logging sections of {settings.path} can't be used:"
                f" {described(error.__cause__ or error)}.",
                hint="fix [loggers], [handlers] and [formatters].",
            ) from error

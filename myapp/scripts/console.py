"""The terminal: the answer on standard output, and all else on standard error."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import click

from ..migrator.base.errors import MigrateError, MultipleHeads, UsageError
from ..migrator.base.legible import legible
from ..migrator.base.shortening import readable
from ..migrator.settings.redaction import Redactor
from .endings import interrupted, misused, unexpected
from .invocation import Invocation
from .story import Story, telling
from .streams import discard, write_json, write_sql
from .wrapping import columns_of

if TYPE_CHECKING:
    from ..migrator.base.forks import Fork

#: How wide a drawing is, which is indented as the rest of an error.
_DRAWN = 72
_WRITES = {"upgrade", "downgrade", "stamp", "ensure-version", "repair"}


class Console:
    """Shows what becomes of `typed`, as its options ask, and never a secret."""

    def __init__(self, typed: Invocation) -> None:
        self.typed = typed
        self.redactor = Redactor()
        #: Whether the redactor has been given the secrets of the settings.
        self.are_secrets_known = False
        #: The file descriptor of standard output, for a program whose answer is this command's.
        self.answers = 1
        #: Whether a revision runs.
        self.in_step = False
        self._story = ExitStack()
        self._expects_logs = False

    @property
    def stderr(self) -> Story:
        """Standard error, for what the command itself has to tell."""
        return sys.stderr if isinstance(sys.stderr, Story) else Story(sys.stderr, self.redactor)

    @contextmanager
    def story(self) -> Iterator[None]:
        """Send all that is printed or logged within to standard error, without secrets."""
        with self._story as stack:
            self.answers = stack.enter_context(telling(self.stderr))
            if "logging" in sys.modules:
                self.expect_logs()
            if self.typed.verbose and self.typed.command in _WRITES:
                from ..migrator.database.statements import statements_told

                stack.enter_context(statements_told(self._show_statement))
            yield

    def expect_logs(self) -> None:
        """Redact what is logged from now on, to the end of the story, and bear what logs badly.

        To import `logging` takes a part of an answer's time, and most answers log nothing.
        """
        if not self._expects_logs:
            from .log_handlers import failures_told
            from .logs import quieter_alembic, redacted_logs

            self._expects_logs = True
            self._story.enter_context(redacted_logs(self.redactor, quiet=self.typed.quiet))
            self._story.enter_context(quieter_alembic(verbose=self.typed.verbose))
            self._story.enter_context(failures_told(self.warn))

    def answer(self, result: object) -> None:
        """Write a command's result to standard output."""
        from . import document, output

        if self.typed.json:
            write_json(document.result_document(self.typed.command, result))
            return
        if isinstance(result, str):
            write_sql(result)
            if not result and not self.typed.quiet:
                self.stderr.write_line(output.EMPTY_SQL)
            return
        text = output.as_text(
            result,
            verbose=self.typed.verbose,
            quiet=self.typed.quiet,
            columns=columns_of(sys.stdout),
        )
        if text:
            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
            click.echo(text, nl=not text.endswith("\n"), color=self.typed.color)
        elif not self.typed.quiet and self.typed.command in output.EMPTY:
            # Not to standard output, where a script would take it for a revision.
            self.stderr.write_line(output.EMPTY[self.typed.command])

    def fail(self, error: BaseException) -> int:
        """Tell of `error` and return the exit status."""
        told = error if isinstance(error, MigrateError) else unexpected(error)
        redact = self._shown
        hint = self.hinted(told.hint)
        if self.typed.traceback:
            import traceback  # takes long to import, and is seldom needed

            self.stderr.write(legible(redact("".join(traceback.format_exception(error)))))
        if self.typed.json:
            from .document import error_document

            with suppress(UsageError), self.stdout():
                write_json(error_document(self.typed.command, told, hint, redact))
        elif told.sql:
            with suppress(UsageError), self.stdout():
                write_sql(told.sql)
        if not self.typed.json:
            self._tell("Error:", "red", redact(told.message))
            if isinstance(told, MultipleHeads):
                self._draw(told.fork)
            if hint:
                self._tell("Hint: ", "cyan", hint)
        return told.exit_code

    def ended(self, error: BaseException) -> int:
        """Show the error that ended the command, and return the exit status."""
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            self.stderr.write_line(error.ctx.get_help())
            return error.exit_code
        if isinstance(error, click.exceptions.Exit):
            return error.exit_code
        if isinstance(error, click.ClickException):
            return self.fail(misused(error, self.typed.command))
        if isinstance(error, KeyboardInterrupt):
            error = interrupted(error, self.typed.command)
        return self.fail(error)

    def warn(self, message: str) -> None:
        """Tell of something that didn't stop the command."""
        if not self.typed.quiet:
            self._tell("Warning:", "yellow", self.redactor.redact(message))

    def hinted(self, hint: str | None) -> str:
        """Return a hint as it is shown, with the command line that was typed."""
        return self._shown(hint or "").replace("{cmd}", self._command_line())

    def _shown(self, text: str) -> str:
        return readable(self.redactor.redact(text))

    def _show_statement(self, sql: str) -> None:
        is_asking = sql.upper().startswith(("SELECT", "PRAGMA", "SHOW"))
        # What is asked between the revisions is this command's own business.
        if (self.in_step or not is_asking) and not sql.startswith("BEGIN"):
            from textwrap import indent

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
            self.typed.json = False  # standard error is left
            raise UsageError(
                f"Standard output can't be written: {error.strerror}. The command has done its"
                " work, but its answer is lost.",
                hint="send it where there is room; `{cmd} current` tells where the database"
                " stands.",
            ) from error

    def _command_line(self) -> str:
        return self.typed.command_line(
            self.redactor.redact, are_secrets_known=self.are_secrets_known
        )

    def _draw(self, fork: "Fork") -> None:
        from .forks import fork_lines

        for line in fork_lines(fork, _DRAWN):
            self.stderr.write_line(f"{'':7}{self._shown(line)}")

    def _tell(self, label: str, color: str, message: str) -> None:
        indented = legible(message).replace("\n", "\n       ")
        styled = click.style(label, fg=color, bold=True)
        self.stderr.write_line(f"{styled} {indented}", color=self.typed.color, indent=7)

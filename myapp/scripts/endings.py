"""Turn whatever ends the command into an exit status."""

import signal

import click

from ..migrator.base.canceller import ended_by
from ..migrator.base.errors import InternalError, Interrupted, UsageError
from ..migrator.settings.redaction import redacted

#: The commands that write to scratch databases only.
_APART = {"drift", "plan", "scratch", "verify"}
#: What to type where all arguments of a command are missing.
_EXAMPLES = {
    "downgrade": "`{cmd} downgrade -1`, or name a revision or `base`",
    "edit": "`{cmd} edit head`, or name another revision",
    "init": "`{cmd} init PACKAGE/migrations`, the folder to make",
    "merge": "`{cmd} merge heads`, or name the revisions to join",
    "scratch": "`{cmd} scratch -- pytest`, or another command after `--`",
    "show": "`{cmd} show head`, or name another revision",
    "stamp": "`{cmd} stamp head`, or name another revision or `base`",
}


def unexpected(error: BaseException) -> InternalError:
    """Return the error to show for an exception that nobody expected."""
    reason = " ".join(redacted(str(error)).split())
    return InternalError(
        f"Unexpected {type(error).__name__}{f': {reason}' if reason else ''}. This is a bug, or"
        " something that this command doesn't know of.",
        hint="add `--traceback` to see where it came from.",
    )


def interrupted(interrupt: BaseException, command: str | None = None) -> Interrupted:
    """Return the error of a signal that came outside the migrations, while `command` ran."""
    number = int(interrupt.args[0]) if interrupt.args else signal.SIGINT
    is_apart = command in _APART
    return Interrupted(
        f"{ended_by(number)}.{' The live database was not changed.' if is_apart else ''}",
        exit_code=128 + number,
        hint=None if is_apart else "`{cmd} current` tells where the database stands.",
    )


def misused(error: click.ClickException, command: str | None) -> UsageError:
    """Return Click's error as one of ours."""
    message = error.format_message()
    if isinstance(error, click.MissingParameter) and command in _EXAMPLES:
        return UsageError(message, hint=f"type {_EXAMPLES[command]}.")
    return UsageError(
        message if message.endswith((".", "?")) else f"{message}.",
        hint=f"`{{cmd}} {command} --help` shows what it takes."
        if command
        else "`myapp-migrate --help` shows the order, the options and the commands.",
    )

"""Have Alembic write revision files, and say what became of it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from alembic.script import Script

from ..base.errors import BadRevision, SettingsError, UsageError
from ..base.results import Revision
from ..database.failures import described
from .context import RunContext
from .loading import ScriptHistory, load_history, settled
from .new_files import new_files
from .post_write_hooks import HookFailed, failing_hooks_told
from .targets import resolve

T = TypeVar("T")


def require_heads(history: ScriptHistory, revisions: set[str], *, splice: bool) -> None:
    """Raise UsageError where one of `revisions` is no head, unless a branch may begin there."""
    if splice:
        return
    for each in history.ids:
        if each in revisions and not history.get(each).is_head:
            raise UsageError(
                f"{history.titles([each])} is no head: other revisions follow it.",
                hint="name a head (`{cmd} heads` lists them), or add `--splice` to begin a branch"
                " there.",
            )


def write_revisions(
    context: RunContext,
    history: ScriptHistory,
    name: str,
    write: Callable[[], Sequence[Script | None]],
) -> tuple[Revision, ...]:
    """Return the revisions whose files `write` makes: all of them, or none.

    A file stays whose post-write hook fails, for it is written.

    Raises UsageError where another one was written after `history` was read, and follows the same.
    """
    with new_files(history.script) as files:
        try:
            with failing_hooks_told():
                scripts = _told(history, name, write)
        except HookFailed:
            raise
        except BaseException:
            files.remove()
            raise
        now = settled(context, load_history(context))
        new = tuple(now.get(script.revision) for script in scripts if script is not None)
        if beside := _written_meanwhile(history, now, new):
            files.remove()
            raise UsageError(
                f"No revision was written: another one was, meanwhile, and follows the same:"
                f" {now.titles(beside)}. There would be two heads.",
                hint="run the command again, and the new one follows it.",
            )
    return new


def _written_meanwhile(
    before: ScriptHistory, now: ScriptHistory, new: Sequence[Revision]
) -> list[str]:
    """Return the revisions that have come to follow a head which one of the `new` ones follows."""
    own = {each.revision for each in new}
    heads = {parent for each in new for parent in each.down_revisions} & set(before.heads())
    return [id_ for head in heads for id_ in now.get(head).next_revisions if id_ not in own]


def _told(history: ScriptHistory, name: str, write: Callable[[], T]) -> T:
    try:
        return resolve(history, "", name, write)
    except SyntaxError as error:
        raise SettingsError(
            f"No revision was written: a post-write hook has made of it what is no valid Python,"
            f" {error.msg}.",
            hint="fix [post_write_hooks] in the .ini file.",
        ) from error
    except OSError as error:
        raise UsageError(
            f"No revision was written: {error.filename}: {error.strerror}.",
            hint="the folder must be writable, and script.py.mako stand beside env.py.",
        ) from error
    except (LookupError, TypeError, ValueError) as error:
        raise SettingsError(
            f"No revision was written: {described(error)}.",
            hint="fix `alembic.file_template` (it may have rev, slug, year, month, day, hour,"
            " minute, second and epoch) or `alembic.output_encoding`.",
        ) from error
    except BadRevision as error:
        reason = str(error.__context__ or error.message).rstrip(".")
        is_about_hooks = "post write hook" in reason or reason.startswith("No formatter")
        raise UsageError(
            f"No revision was written: {reason}.",
            hint="fix [post_write_hooks] in the .ini file."
            if is_about_hooks
            else f"`{{cmd}} {name} --help` shows the options.",
        ) from None

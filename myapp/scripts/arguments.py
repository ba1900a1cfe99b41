"""The types of what is typed after a command, and what the shell completes there."""

import os
import re
from typing import TYPE_CHECKING, Any, cast

import click

from ..migrator.base.errors import UsageError
from ..migrator.settings.options import seconds
from .session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Names the .ini file where none is typed.
INI_VARIABLE = "MYAPP_MIGRATE_INI"
#: The beginning of a NAME=VALUE pair.
VARIABLE = re.compile(r"[A-Za-z_][\w.\-]*=")
_PLAIN = re.compile(r"[\w./~+@%-]+").fullmatch


def misplaced(pair: str) -> UsageError:
    """Return the error of a NAME=VALUE pair after the command, without its value."""
    return UsageError(
        f"`{pair.partition('=')[0]}=...` stands after the command.",
        hint="NAME=VALUE pairs stand between the .ini file and the command.",
    )


class SecondsType(click.types.FloatParamType):
    """A time in seconds, 0 or more."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number. Raises SettingsError, as the setting of the same meaning does."""
        return seconds(str(value), param.opts[0] if param else self.name)


SECONDS = SecondsType()
#: The commands to which `current` names a revision; to others, it does with `--sql`.
_UNDERSTAND_CURRENT = {"edit", "history", "show"}


class RevisionType(click.types.StringParamType):
    """A revision: an id or its first characters, a symbol, a branch, or a relative one."""

    name = "revision"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take off the blank that marks a relative revision.

        Raises UsageError for a NAME=VALUE pair, without showing its value.
        """
        if VARIABLE.match(str(value)):
            raise misplaced(str(value))
        return str(value).strip()

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list["CompletionItem"]:
        """Offer the revisions of the .ini file in the command line."""
        from .completion import revisions, steps_back

        session = ctx.ensure_object(Session)
        is_step = ctx.info_name == "downgrade" and incomplete[:1] in ("", "-")
        steps = [
            item
            for item in (steps_back(session) if is_step else ())
            if str(item.value).startswith(incomplete)
        ]
        if incomplete.startswith("-"):
            return steps
        is_asked = ctx.info_name in _UNDERSTAND_CURRENT or bool(ctx.params.get("sql"))
        return [*steps, *revisions(session, incomplete, is_asked=is_asked)]


REVISION = RevisionType()


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the .ini files. Where there is none, let the shell offer its files.

    Where the environment names one, the commands are offered too.
    """
    from click.shell_completion import CompletionItem

    offered = [CompletionItem(name) for name in _ini_files(incomplete)]
    if os.environ.get(INI_VARIABLE):
        offered += click.Group.shell_complete(cast(click.Group, ctx.command), ctx, incomplete)
    return offered or [CompletionItem(incomplete, type="file")]


def _ini_files(incomplete: str) -> list[str]:
    """Return the .ini files whose paths begin with `incomplete`.

    None where the shell would have to quote one: it does so by itself for its own files.
    """
    head, begin = os.path.split(incomplete)
    try:
        names = sorted(os.listdir(os.path.expanduser(head) or "."))
    except OSError:
        return []
    found = [
        f"{incomplete.removesuffix(begin)}{name}"
        for name in names
        if name.startswith(begin) and name.endswith(".ini") and (begin[:1] == "." or name[0] != ".")
    ]
    found = [name for name in found if os.path.isfile(os.path.expanduser(name))]
    return found if all(map(_PLAIN, found)) else []

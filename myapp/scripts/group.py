"""The command line's grammar, where it differs from Click's: .ini file, variables, `-1`."""

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..migrator.base.errors import UsageError
from ..migrator.settings.options import seconds
from .endings import unexpected
from .session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_VARIABLE = re.compile(r"[A-Za-z_][\w.\-]*=")
_KEEP_FALSY = ("color", "lock_wait", "wait_db")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_RELATIVE = re.compile(r"-\d+")


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    typed = ctx.ensure_object(Session).typed
    if param.name == "x":
        typed.x.extend(value)
    elif value or (value is not None and param.name in _KEEP_FALSY):
        setattr(typed, str(param.name), value)


class Option(click.Option):
    """An option whose help stands as it is written.

    Click would clean it with `inspect`, which takes longer to import than our own modules.
    """

    def __init__(self, *args: Any, help: str | None = None, **kwargs: Any) -> None:  # noqa: A002 - Click's name
        super().__init__(*args, **kwargs)
        self.help = help


def option(*names: str, **attributes: Any) -> Callable[[_Function], _Function]:
    """Add such an option to a command."""
    return click.option(*names, cls=Option, **attributes)


_keeping: Any = partial(Option, expose_value=False, callback=_keep)
#: What asks for help, of the group and of each command.
HELP = ("-h", "--help")
#: These options may stand before CONFIG_URI or after the command.
_SHARED = [
    _keeping(["--json"], is_flag=True, help="Write one JSON document, errors included."),
    _keeping(["-x"], multiple=True, metavar="KEY=VALUE", help="Pass an argument to env.py."),
    _keeping(
        ["-v", "--verbose"], is_flag=True, help="Show more: revisions in full, SQL as it runs."
    ),
    _keeping(["-q", "--quiet"], is_flag=True, help="Show errors only."),
    _keeping(["--color/--no-color"], default=None, help="Use colour or not (NO_COLOR: not)."),
    _keeping(["--traceback"], is_flag=True, help="Show a traceback with an error."),
]


def _misplaced(pair: str) -> UsageError:
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
_LOCK_WAIT = _keeping(
    ["--lock-wait"],
    type=SECONDS,
    help="How long to wait for another run to finish (60 by default; 0: not at all).",
)
_WAIT_DB = _keeping(
    ["--wait-db"], type=SECONDS, help="How long to wait for a database that is not up yet."
)


class _Helpful(click.Command):
    """What the group and its commands have in common: the shared options, and `--help`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _SHARED
        click.help_option(*HELP, cls=Option)(self)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the docstring, without `inspect`, which Click cleans it with."""
        lines = (self.help or "").splitlines()
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n".join(line.strip() for line in lines).strip())


class MigrateCommand(_Helpful):
    """A command that returns its result, which is then shown.

    A command that `connects` has `--wait-db`. One that `writes` has `--lock-wait` too.
    """

    def __init__(
        self, *args: Any, connects: bool = False, writes: bool = False, **kwargs: Any
    ) -> None:
        waiting = [_LOCK_WAIT] if writes else []
        waiting += [_WAIT_DB] if connects or writes else []
        super().__init__(*args, params=[*(kwargs.pop("params", None) or []), *waiting], **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let `-1` be a revision: Click would take it for an option."""
        # With a blank before it, Click takes it for an argument. RevisionType strips the blank.
        ours = args.index("--") if "--" in args else len(args)
        args = [
            f" {arg}" if number < ours and _RELATIVE.fullmatch(arg) else arg
            for number, arg in enumerate(args)
        ]
        try:
            return super().parse_args(ctx, [*args])
        except click.UsageError as error:
            pairs = [arg for arg in args if _VARIABLE.match(arg)]
            ctx.ensure_object(Session).console.redactor.add(
                pair.partition("=")[2] for pair in pairs
            )
            # Click raises UsageError itself, and no subclass, for an argument too many.
            if pairs and type(error) is click.UsageError:
                raise _misplaced(pairs[-1]) from None
            raise

    def invoke(self, ctx: click.Context) -> None:
        """Run the command with all its output on standard error, then write its answer."""
        session = ctx.ensure_object(Session)
        session.typed.options = {k: v for k, v in ctx.params.items() if k != "command"}
        with session.console.story():
            try:
                result = super().invoke(ctx)
            except OSError as error:  # it is not about standard output
                raise unexpected(error) from error
        if result is not None:
            session.console.answer(result)
        if status := getattr(result, "exit_code", 0):
            raise click.exceptions.Exit(status)


class IniGroup(_Helpful, click.Group):
    """A group whose commands stand after CONFIG_URI and NAME=VALUE pairs."""

    command_class = MigrateCommand

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show where the variables stand."""
        return ["[OPTIONS]", "CONFIG_URI", "[NAME=VALUE]...", "COMMAND [ARGS]..."]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command under Alembic's spelling too: `ensure_version`."""
        return super().get_command(ctx, cmd_name.replace("_", "-"))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as Click does. If a command is in the place of the .ini file, tell the order."""
        rest = super().parse_args(ctx, args)
        config_uri = str(ctx.params.get("config_uri") or "")
        command = self.get_command(ctx, config_uri)
        if command and not ctx.resilient_parsing:
            if not set(HELP).isdisjoint(args):
                command.make_context(config_uri, ["--help"], parent=ctx)
            raise UsageError(
                f"`{config_uri}` stands where the .ini file should.",
                hint=f"the order is: `myapp-migrate development.ini {config_uri}`.",
            )
        return rest

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the NAME=VALUE pairs off, then find the command."""
        typed = ctx.ensure_object(Session).typed
        typed.config_uri = str(ctx.params.get("config_uri") or "")
        while args and _VARIABLE.match(args[0]):
            name, _, value = args.pop(0).partition("=")
            typed.config_vars[name] = value
        if args and args[0].startswith("-") and args[0] not in HELP:
            raise UsageError(
                f"`{args[0]}` stands between the .ini file and the command.",
                hint="options stand before the .ini file or after the command.",
            )
        if args and ".ini" in args[0] and ".ini" not in typed.config_uri:
            from ..migrator.base.spelling import nearest

            near = nearest(typed.config_uri, self.commands) or "COMMAND"
            raise UsageError(
                f"`{args[0]}` stands where the command should.",
                hint=f"the order is: `myapp-migrate {args[0]} {near}`.",
            )
        if not args:
            if ctx.resilient_parsing:
                return None, None, []
            ctx.fail("Missing command.")
        resolved = super().resolve_command(ctx, args)
        typed.command = resolved[1].name if resolved[1] else None
        return resolved


#: The commands to which `current` names a revision; to others, it does with `--sql`.
_UNDERSTAND_CURRENT = {"edit", "history", "show"}


class RevisionType(click.types.StringParamType):
    """A revision: an id or its first characters, a symbol, a branch, or a relative one."""

    name = "revision"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take off the blank that marks a relative revision.

        Raises UsageError for a NAME=VALUE pair, without showing its value.
        """
        if _VARIABLE.match(str(value)):
            raise _misplaced(str(value))
        return str(value).strip()

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list["CompletionItem"]:
        """Offer the revisions of the .ini file in the command line."""
        from .completion import revisions

        is_asked = ctx.info_name in _UNDERSTAND_CURRENT or bool(ctx.params.get("sql"))
        return revisions(ctx.ensure_object(Session), incomplete, is_asked=is_asked)


REVISION = RevisionType()


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Let the shell offer its files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]

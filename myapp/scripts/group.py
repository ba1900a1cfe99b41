"""The command line's grammar, where it differs from Click's: .ini file, variables, `-1`."""

import os
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..migrator.base.errors import UsageError
from .arguments import INI_VARIABLE, SECONDS, VARIABLE, RevisionType, misplaced
from .endings import unexpected
from .session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_KEEP_FALSY = ("color", "lock_wait", "wait_db")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_RELATIVE = re.compile(r"-\d+")
#: Such a revision in Click's message, with the blank that marks it.
_MARKED = re.compile(r"(?<=[( ]) (-\d+)")


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

    def get_short_help_str(self, limit: int = 1000) -> str:
        """Return the first sentence, whole where a shell shows it: Click cuts it at 45."""
        return super().get_short_help_str(limit)

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
            pairs = [arg for arg in args if VARIABLE.match(arg)]
            ctx.ensure_object(Session).console.redactor.add(
                pair.partition("=")[2] for pair in pairs
            )
            # Click raises UsageError itself, and no subclass, for an argument too many.
            if type(error) is not click.UsageError:
                raise
            if pairs:
                raise misplaced(pairs[-1]) from None
            raise click.UsageError(_MARKED.sub(r"\1", error.message), ctx) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        """Offer the options that begin so, and before them revisions such as `-1`."""
        offered: list[CompletionItem] = []
        for param in self.params if incomplete[1:2] != "-" else []:
            is_due = isinstance(param, click.Argument) and not ctx.params.get(str(param.name))
            if is_due and isinstance(param.type, RevisionType):
                offered += param.type.shell_complete(ctx, param, incomplete)
        return offered + super().shell_complete(ctx, incomplete)

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
        """Parse as Click does, with the .ini file of the environment where none is typed.

        If a command is in the place of the .ini file, tell the order.
        """
        words = self._words(ctx, args)
        if words and (ini := os.environ.get(INI_VARIABLE)) and not self._is_ini(ctx, words[0]):
            ctx.ensure_object(Session).typed.ini_variable = INI_VARIABLE
            at = len(args) - len(words)
            args = [*args[:at], ini, *args[at:]]
        elif words and not ctx.resilient_parsing:
            self._require_ini(ctx, args, words)
        return super().parse_args(ctx, args)

    def _words(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return what stands after the group's options: the .ini file, if it is typed, and on."""
        found, rest, _ = self.make_parser(ctx).parse_args(list(args))
        first = found.get("config_uri")
        return [first, *rest] if isinstance(first, str) else []

    def _is_ini(self, ctx: click.Context, word: str) -> bool:
        """Tell whether a word names an .ini file where one may be left out."""
        if self.get_command(ctx, word) or VARIABLE.match(word):
            return False
        return ".ini" in word or os.path.exists(re.split("[#?]", word)[0])

    def _require_ini(self, ctx: click.Context, args: list[str], words: list[str]) -> None:
        """Raise UsageError where a command is in the place of the .ini file."""
        first, *rest = words
        if command := self.get_command(ctx, first):
            if not set(HELP).isdisjoint(args):
                command.make_context(first, ["--help"], parent=ctx)
            raise UsageError(
                f"`{first}` stands where the .ini file should.",
                hint=f"the order is: `myapp-migrate development.ini {first}`.",
            )
        if ".ini" not in first and not os.path.exists(first):
            ini = next((word for word in rest if ".ini" in word), "development.ini")
            self._require_our_name(ctx, first, rest, ini)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the NAME=VALUE pairs off, then find the command."""
        typed = ctx.ensure_object(Session).typed
        typed.config_uri = str(ctx.params.get("config_uri") or "")
        while args and VARIABLE.match(args[0]):
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
        if not ctx.resilient_parsing:
            self._require_our_name(ctx, args[0], args[1:])
        resolved = super().resolve_command(ctx, args)
        typed.command = resolved[1].name if resolved[1] else None
        return resolved

    def _require_our_name(
        self, ctx: click.Context, name: str, rest: list[str], ini: str | None = None
    ) -> None:
        """Raise UsageError where `name` is another tool's for a command, perhaps in place of `ini`.

        Another unknown name is left to Click.
        """
        if self.get_command(ctx, name):
            return
        from .misnomers import hint_for

        hint = hint_for(name, rest, list(self.commands), f"myapp-migrate {ini}" if ini else "{cmd}")
        if hint and ini:
            raise UsageError(f"`{name}` stands where the .ini file should.", hint=hint)
        if hint:
            raise UsageError(f"No such command '{name}'.", hint=hint)

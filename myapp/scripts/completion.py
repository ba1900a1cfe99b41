"""Completion of commands, options, files and revisions in bash, zsh and fish."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
    split_arg_string,
)

from ..migrator.base.legible import legible
from .imports import imported
from .session import Session
from .story import Story, telling

if TYPE_CHECKING:
    from ..migrator.base.results import Revision

#: How many steps are offered, and how many seconds the database has to tell where it stands.
_STEPS = 9
_SECONDS = 1.0
_SYMBOLS = ("head", "heads", "base")
_WORD_BREAKS = ("=", ":", "@")


def complete(cli: click.Command, session: Session, variable: str) -> int:
    """Write the completions that the shell asks for in `variable`; none if the line is wrong."""
    instruction = os.environ[variable]
    try:
        return shell_complete(cli, {"obj": session}, "myapp-migrate", variable, instruction)
    except Exception:  # noqa: BLE001 - a message would land in the line that is being typed
        return 1


def revisions(session: Session, incomplete: str, *, is_asked: bool) -> list[CompletionItem]:
    """Return the revisions that begin with `incomplete`, which may be a range `FROM:TO`.

    `is_asked` says whether `current` means something here. None when the history can't be read.
    """
    start, colon, incomplete = incomplete.rpartition(":")
    try:
        with telling(Story(None, session.console.redactor)):
            offered = [*_names(session), *([("current", "")] if is_asked else [])]
    except (Exception, SystemExit):  # noqa: BLE001 - as in `complete`; a file in doubt is run
        return []
    return [
        CompletionItem(f"{start}{colon}{name}", help=legible(message) or None)
        for name, message in offered
        if name.startswith(incomplete) and name.isprintable()
    ]


def steps_back(session: Session) -> list[CompletionItem]:
    """Return `-1`, `-2` and so on, each with the revision to which it goes back.

    None where the database can't be asked quickly, or stands on several branches.
    """
    from ..migrator.commands.quick import QuickSource
    from ..migrator.settings.settings import load_settings

    found: list[str] = []
    try:
        with telling(Story(None, session.console.redactor)):
            settings = load_settings(session.typed.config_uri, session.typed.config_vars)
            history, (table,) = QuickSource(settings, _SECONDS).stand()
            place = list(history.foremost(table.rows))
            while len(place) == 1 and len(found) < _STEPS:
                place = list(history.get(place[0]).down_revisions)
                if len(place) < 2:
                    found.append(history.titles(place) or "base")
    except (Exception, SystemExit):  # noqa: BLE001 - as in `revisions`
        return []
    return [
        CompletionItem(f"-{number}", help=legible(f"back to {title}"))
        for number, title in enumerate(found, 1)
    ]


def _names(session: Session) -> Iterator[tuple[str, str]]:
    known = _revisions(session)
    for revision in known:
        yield revision.revision, revision.message
    for symbol in _SYMBOLS:
        yield symbol, ""
    # Every revision of a branch has its label.
    for label in sorted({label for revision in known for label in revision.branch_labels}):
        yield f"{label}@head", ""


def _revisions(session: Session) -> list["Revision"]:
    """Return all revisions, read without Alembic where that can be."""
    from ..migrator.base.ask_alembic import AskAlembic
    from ..migrator.commands.quick import QuickSource
    from ..migrator.settings.settings import load_settings

    settings = load_settings(session.typed.config_uri, session.typed.config_vars)
    with suppress(AskAlembic):
        return list(QuickSource(settings).history().all())
    from ..migrator.bridge.configuration import build_context
    from ..migrator.bridge.loading import load_history

    imported()
    return list(load_history(build_context(settings)).all())


@add_completion_class
class _Bash(BashComplete):
    """Completion for bash, which splits the line at `=`, `:` and `@` too.

    It wants only the part after the last `=` or `:`, and the part from the last `@` on.
    """

    _before = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        position = int(os.environ["COMP_CWORD"])
        # An empty word at the end is missing in COMP_WORDS.
        words = [*split_arg_string(os.environ["COMP_WORDS"]), ""][: position + 1]
        *args, incomplete = _joined(words)
        wanted = "" if words[-1] in ("=", ":") else words[-1]
        if words[-2:-1] == ["@"]:
            wanted = f"@{wanted}"
        self._before = incomplete.removesuffix(wanted)
        return args[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{str(item.value).removeprefix(self._before)}"


@add_completion_class
class _Zsh(ZshComplete):
    """Completion for zsh, which is switched on where the user's own files don't do it."""

    source_template = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n" + (
        ZshComplete.source_template
    )


@add_completion_class
class _Fish(FishComplete):
    """Completion for fish, in our order and with the whole description.

    Click's own cuts it at its first comma.
    """

    source_template = FishComplete.source_template.replace(
        'string split ","', 'string split --max 1 ","'
    ).replace("complete --no-files", "complete --keep-order --no-files")


def _joined(words: Iterable[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        if joined and word and (word in _WORD_BREAKS or joined[-1].endswith(_WORD_BREAKS)):
            joined[-1] += word
        else:
            joined.append(word)
    return joined

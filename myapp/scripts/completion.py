"""Completion of commands, options, files and revisions in bash, zsh and fish."""

import os
from collections.abc import Iterable, Iterator

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    shell_complete,
    split_arg_string,
)

from .session import Session
from .story import Story, telling

_SYMBOLS = ("head", "heads", "base", "current")
_WORD_BREAKS = "=:@"


def complete(cli: click.Command, session: Session, variable: str) -> int:
    """Write what the shell asks for in `variable`; nothing when the line makes no sense yet."""
    instruction = os.environ[variable]
    try:
        return shell_complete(cli, {"obj": session}, "myapp-migrate", variable, instruction)
    except Exception:  # noqa: BLE001 - a message would land in the line that is being typed
        return 1


def revisions(session: Session, incomplete: str) -> list[CompletionItem[str]]:
    """Return what may stand for a revision and begins with `incomplete`, `FROM:TO` included.

    Nothing when the history can't be read.
    """
    start, colon, incomplete = incomplete.rpartition(":")
    try:
        with telling(Story(None, session.redactor)):
            offered = list(_names(session))
    except (Exception, SystemExit):  # noqa: BLE001 - as in `complete`; revision files are run
        return []
    return [
        CompletionItem(f"{start}{colon}{name}", help=message or None)
        for name, message in offered
        if name.startswith(incomplete)
    ]


def _names(session: Session) -> Iterator[tuple[str, str]]:
    from ..migrator.config import build_config
    from ..migrator.history import load_history
    from ..migrator.settings import load_settings

    config = build_config(load_settings(session.config_uri, session.config_vars))
    known = list(load_history(config).all())
    for revision in known:
        yield revision.revision, revision.message
    for symbol in _SYMBOLS:
        yield symbol, ""
    for revision in known:
        for label in revision.branch_labels:
            yield f"{label}@head", ""


@add_completion_class
class _Bash(BashComplete):
    """Bash splits a line at `=`, `:` and `@` too, and wants only what follows the last of them."""

    _before_break = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ["COMP_WORDS"])
        position = int(os.environ["COMP_CWORD"])
        # The word that is being typed is missing where it is still empty.
        words, typed = words[:position], "".join(words[position : position + 1])
        *args, incomplete = _joined([*words, typed]) if words else [""]
        self._before_break = incomplete.removesuffix("" if typed in _WORD_BREAKS else typed)
        return args[1:], incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        return f"{item.type},{str(item.value).removeprefix(self._before_break)}"


def _joined(words: Iterable[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        is_break = bool(word) and word in _WORD_BREAKS
        if joined and (is_break or joined[-1][-1:] in tuple(_WORD_BREAKS)) and word:
            joined[-1] += word
        else:
            joined.append(word)
    return joined

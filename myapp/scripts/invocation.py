"""What was typed: the command line, taken apart."""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..migrator.settings.redaction import MASK


@dataclass
class Invocation:
    """The .ini file, the command, and the options that every command shares."""

    config_uri: str = "CONFIG_URI"
    #: The environment's variable that named the .ini file, if it was not typed.
    ini_variable: str | None = None
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
    began: float = field(default_factory=time.monotonic)

    @property
    def ini_path(self) -> str:
        """The path of the .ini file, without `#name` and `?name=value`."""
        return self.config_uri.partition("#")[0].partition("?")[0]

    def command_line(self, redact: Callable[[str], str], *, are_secrets_known: bool) -> str:
        """Return what to type before a subcommand, for use in a hint."""
        variables = [
            # Until the settings are known, any of them may be a part of a password.
            f"{name}={redact(value) if are_secrets_known else MASK}"
            for name, value in self.config_vars.items()
        ]
        words = ["myapp-migrate", redact(self.config_uri), *map(redact, variables)]
        return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Quote a word for the shell, but not for the sake of a secret that is left out."""
    rest = word.replace(MASK, "")
    return word if rest and shlex.quote(rest) == rest else shlex.quote(word)

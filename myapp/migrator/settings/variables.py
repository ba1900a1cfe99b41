"""Environment variables in setting values: `${NAME}` and `${NAME:-default}`."""

import os
import re
from collections.abc import Iterator, Mapping

from expandvars import ExpandvarsException, expand

from ..base.errors import SettingsError

# The library knows more of the shell's forms, and these are refused. Some give an empty string for
# an unset variable, one sets a variable, and `$$` in a default is the process id.
_OTHER_FORM = re.compile(r"\$\{(?!\w+\}|\w+:-[^$\\]*?\})")


def expand_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return `settings` with `${NAME}` in each value replaced from the environment.

    Raises SettingsError naming the key and the variable when a variable is unset.
    """
    return {key: _expand(key, value) for key, value in settings.items()}


class Expanded(Mapping[str, str]):
    """Settings with their variables replaced.

    A value whose variable is not set raises the SettingsError of `expand_variables`, but only when
    it is looked up.
    """

    def __init__(self, settings: Mapping[str, str], prefix: str = "") -> None:
        self._values: dict[str, str | SettingsError] = {}
        self._written = dict(settings)
        for key, value in settings.items():
            try:
                self._values[key] = _expand(f"{prefix}{key}", value)
            except SettingsError as error:
                self._values[key] = error

    def __getitem__(self, key: str) -> str:
        value = self._values[key]
        if isinstance(value, SettingsError):
            raise value
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def known(self) -> dict[str, str]:
        """Return the values that can be used."""
        return {key: value for key, value in self._values.items() if isinstance(value, str)}

    def shown(self) -> dict[str, str]:
        """Return all values; those that can't be used are as they are written."""
        return self._written | self.known()


def _expand(key: str, value: str) -> str:
    if "${" not in value:
        return value
    if _OTHER_FORM.search(value):
        raise _unclear(key)
    try:
        expanded = expand(
            value, nounset=True, surrounded_vars_only=True, escape_char=None, environ=os.environ
        )
    except ExpandvarsException as error:
        name, _, reason = str(error.args[0]).partition(":")
        if "unbound" not in reason:
            raise _unclear(key) from None
        raise SettingsError(
            f"`{key}` needs the environment variable {name}, which is not set.",
            hint=f"set it (`export {name}=...`), or give a default: `${{{name}:-default}}`.",
        ) from None
    return str(expanded)


def _unclear(key: str) -> SettingsError:
    return SettingsError(
        f"`{key}` has a `${{...}}` that can't be expanded.",
        hint="write `${NAME}` or `${NAME:-default}`; a default has no `$` and no backslash in it.",
    )

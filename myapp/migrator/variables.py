"""Environment variables in setting values: `${NAME}` and `${NAME:-default}`."""

import os
from collections.abc import Mapping

from expandvars import ExpandvarsException, expand

from .errors import SettingsError


def expand_variables(
    settings: Mapping[str, str], *, prefixes: tuple[str, ...] = ("",)
) -> dict[str, str]:
    """Return `settings` with `${NAME}` in each value replaced from the environment.

    Only keys that start with one of `prefixes` are looked at; other values pass through as they
    are, so that a foreign setting that happens to contain `${` does no harm.

    Raises SettingsError naming the key and the variable when a variable is unset.
    """
    return {
        key: _expand(key, value) if key.startswith(prefixes) else value
        for key, value in settings.items()
    }


def _expand(key: str, value: str) -> str:
    if "${" not in value:
        return value
    try:
        expanded = expand(
            value, nounset=True, surrounded_vars_only=True, escape_char=None, environ=os.environ
        )
    except ExpandvarsException as error:
        reason = str(error.args[0])
        name = reason.partition(":")[0]
        if "unbound" in reason:
            raise SettingsError(
                f"`{key}` needs the environment variable {name}, which is not set.",
                hint=f"set it (`export {name}=...`), or give a default: `${{{name}:-default}}`.",
            ) from None
        raise SettingsError(
            f"`{key}` has a `${{...}}` that can't be expanded.",
            hint="write `${NAME}` or `${NAME:-default}`.",
        ) from None
    return str(expanded)

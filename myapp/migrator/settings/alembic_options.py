"""Alembic's options: one table of what each of them is, and their values, read by it."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..base.errors import SettingsError
from ..base.spelling import is_slip
from .places import Places


class Option(NamedTuple):
    """What an option is, and who needs it.

    `is_configured`: `env.py` hands it to `context.configure()`. `needs_alembic`: with it, nothing
    is answered without Alembic. `separator`: it is a list of paths, which this pattern separates
    where `path_separator` is not set.
    """

    is_boolean: bool = False
    is_configured: bool = False
    needs_alembic: bool = False
    separator: str | None = None


#: README's table of settings lists the same. An env.py may read others, under any name.
OPTIONS: Mapping[str, Option] = {
    "alembic_module_prefix": Option(is_configured=True, needs_alembic=True),
    "compare_server_default": Option(is_boolean=True, is_configured=True),
    "compare_type": Option(is_boolean=True, is_configured=True),
    "file_template": Option(),
    "include_schemas": Option(is_boolean=True, is_configured=True),
    "naming_convention": Option(),
    "output_encoding": Option(needs_alembic=True),
    "path_separator": Option(),
    "prepend_sys_path": Option(needs_alembic=True, separator=r"[,:\s]+"),
    "recursive_version_locations": Option(is_boolean=True),
    "render_as_batch": Option(is_boolean=True, is_configured=True),
    "revision_environment": Option(is_boolean=True, needs_alembic=True),
    "script_location": Option(),
    "sourceless": Option(is_boolean=True),
    "sqlalchemy_module_prefix": Option(is_configured=True, needs_alembic=True),
    "target_metadata": Option(),
    "timezone": Option(),
    "truncate_slug_length": Option(needs_alembic=True),
    "user_module_prefix": Option(is_configured=True, needs_alembic=True),
    "version_locations": Option(separator=r"[,\s]+"),
    "version_table": Option(is_configured=True),
    "version_table_pk": Option(is_boolean=True, is_configured=True),
    "version_table_schema": Option(is_configured=True),
}
_OLD_NAMES = {"version_path_separator"}
_SEPARATOR_NAMES = ("path_separator", *_OLD_NAMES)
_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
_TRUTHY = {"t", "true", "y", "yes", "on", "1"}
_FALSY = {"f", "false", "n", "no", "off", "0", ""}


class AlembicOptions(Mapping[str, str]):
    """The options as Alembic's Config takes them, under Alembic's names, and none that is blank.

    Paths are absolute, a line for each; booleans are `true` or `false`. Alembic reads some as true
    only when they are exactly `true` (`Config.get_alembic_boolean_option`), so they are read here,
    as Pyramid reads booleans. What Alembic doesn't have is kept as it is.
    """

    def __init__(self, given: Mapping[str, str], here: Path, others: Mapping[str, str]) -> None:
        """Read what is `given`; a relative path is relative to the folder `here`.

        Where it isn't there, it is relative to the working folder, as Alembic takes it. `others`
        are no options, but an `env.py` may look for them in Alembic's Config.

        Raises SettingsError when a separator or a number is none.
        """
        everything = {**others, **given}
        values = {key: value for key, value in everything.items() if value.strip()}
        self._given = dict(given)
        self._booleans = {key: _is_true(values[key]) for key in values if _kind(key).is_boolean}
        values |= {key: "true" if value else "false" for key, value in self._booleans.items()}
        places = Places(here)
        if "script_location" in values:
            values["script_location"] = places.base(values["script_location"])
        for key in [key for key in values if _kind(key).separator]:
            values[key] = "\n".join(map(places.absolute, _split(values, key)))
        self._places = places
        values.pop("version_path_separator", None)
        values["path_separator"] = "newline"
        _check_number(values, "truncate_slug_length")
        self._values = values

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def is_on(self, name: str) -> bool:
        """Tell whether a boolean option is given, and true."""
        return self._booleans.get(name, False)

    def for_configure(self) -> dict[str, Any]:
        """Return what is given of the arguments of `context.configure()`."""
        return {key: self._booleans.get(key, self[key]) for key in self if _kind(key).is_configured}

    def need_alembic(self) -> bool:
        """Tell whether one of them may change an answer that is given without Alembic."""
        return any(key not in OPTIONS or OPTIONS[key].needs_alembic for key in self)

    def split_locations(self, text: str) -> list[str]:
        """Split the `version_locations` that an `env.py` has set.

        It may have added to what it found there, which has a line for each folder; what it added
        is separated as in the .ini file.
        """
        key = "version_locations"
        known = self.get(key, "").split("\n")
        separators = {name: self._given[name] for name in _SEPARATOR_NAMES if name in self._given}
        return [
            path
            for line in filter(None, text.split("\n"))
            for path in ([line] if line in known else _split({**separators, key: line}, key))
        ]

    def tried(self, path: str) -> list[str]:
        """Return where a relative path was looked for, if it has become `path`."""
        return self._places.tried.get(path, [path])

    @property
    def splits_at_blanks(self) -> bool:
        """Tell whether blanks separate the folders in `version_locations`, and there are some."""
        return " " in self._given.get("version_locations", "").strip() and not any(
            name in self._given for name in _SEPARATOR_NAMES
        )

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for each key and each value that looks like a slip of the pen."""
        yield from misspellings(self._given)
        for key in sorted(self._given):
            value = self._given[key]
            if _kind(key).is_boolean and value.strip().lower() not in _TRUTHY | _FALSY:
                yield (
                    f"`alembic.{key}` is `{value}`, which counts as false: write `true` or `false`."
                )


def misspellings(given: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each key that is one slip away from an option that isn't given.

    `script_location` is left out: the error that it is missing names the slip.
    """
    given = set(given)
    for key in sorted(given - OPTIONS.keys() - _OLD_NAMES):
        for option in sorted(OPTIONS.keys() - given - {"script_location"}):
            if is_slip(key, option):
                yield (
                    f"`alembic.{key}` is not an option of Alembic: did you mean `alembic.{option}`?"
                )


def _kind(key: str) -> Option:
    return OPTIONS.get(key, Option())


def _is_true(value: str) -> bool:
    return value.strip().lower() in _TRUTHY


def _split(options: Mapping[str, str], key: str) -> list[str]:
    """Split a list of paths as Alembic does (`Config.get_version_locations_list` and the like)."""
    # Its older name holds for this list only, and in old files has a comment for a value.
    names = _SEPARATOR_NAMES if key == "version_locations" else _SEPARATOR_NAMES[:1]
    name = next((name for name in names if name in options), None)
    if name is None:
        return [path for path in re.split(str(OPTIONS[key].separator), options[key]) if path]
    if options[name] not in _SEPARATORS:
        raise SettingsError(
            f"`alembic.{name}` is `{options[name]}`, which is not one of its values.",
            hint="write one of: space, newline, os, `:`, `;`.",
        )
    paths = options[key].split(_SEPARATORS[options[name]])
    return [path.strip() for path in paths if path.strip()]


def _check_number(options: Mapping[str, str], key: str) -> None:
    value = options.get(key, "0")
    if not value.strip().isdecimal():
        raise SettingsError(
            f"`alembic.{key}` is `{value}`, which is not a number.",
            hint=f"write `alembic.{key} = 40`.",
        )

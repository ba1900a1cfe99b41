"""From a config_uri to frozen settings."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import plaster

from ..base.errors import SettingsError
from ..base.spelling import nearest
from .alembic_options import misspellings
from .ini import IniFile, is_a_folder, read_alembic_section, read_ini
from .options import Options, read_options
from .url_secrets import secrets_in_settings
from .variables import Expanded

#: Options of Alembic that are true or false. They are read here, as Pyramid reads booleans, because
#: Alembic takes some for true only if they are exactly `true`
#: (Config.get_alembic_boolean_option).
BOOLEANS = frozenset(
    {
        "compare_server_default",
        "compare_type",
        "include_schemas",
        "recursive_version_locations",
        "render_as_batch",
        "revision_environment",
        "sourceless",
        "version_table_pk",
    }
)
_TRUTHY = {"t", "true", "y", "yes", "on", "1"}
_FALSY = {"f", "false", "n", "no", "off", "0", ""}
#: Lists of paths, with Alembic's separators for them when `path_separator` is not set.
_PATH_LISTS = {"version_locations": r"[,\s]+", "prepend_sys_path": r"[,:\s]+"}
_SEPARATOR_NAMES = ("path_separator", "version_path_separator")
_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
_INI_SCHEMES = {"file+ini", "pastedeploy", "pastedeploy+ini", "ini", "file"}
_NO_LOCATION = "add `alembic.script_location = package:migrations`; `{cmd} init FOLDER` makes one."
_NAME_A_FILE = "give the path of the application's .ini file, such as `development.ini`."
_IN_ITS_FOLDER = "`#` and `?` start a section and its variables: type the command in that folder."


@dataclass(frozen=True)
class Settings:
    """Everything that the .ini file says about migrations.

    `section` says where they are: `[app:main] in /srv/shop/shop.ini`. `alembic` has Alembic's
    options under Alembic's names. Its paths are absolute, its booleans are `true` or `false`, and
    blank ones are left out. `default_keys` are those of [DEFAULT]. A value in `engine_options` with
    an unset variable raises SettingsError only when it is used, since not every command needs the
    database. `warnings` are sentences about what may be a mistake.
    """

    path: Path
    section: str
    config_vars: Mapping[str, str] = field(repr=False)
    engine_options: Expanded = field(repr=False)
    alembic: Mapping[str, str] = field(repr=False)
    options: Options
    default_keys: frozenset[str]
    warnings: tuple[str, ...]
    has_logging: bool
    _separators: Mapping[str, str]

    @property
    def url(self) -> str:
        """The database URL as the .ini file has it.

        Raises SettingsError when there is none, or a variable in it is not set.
        """
        url = self.engine_options.get("sqlalchemy.url", "").strip()
        if url:
            return url
        if "sqlalchemy.url" in self.engine_options:
            raise SettingsError(
                f"{self.section} has an empty `sqlalchemy.url`, so there is no database.",
                hint="give it a value; or has the environment variable that it names none?",
            )
        raise self._missing(
            "sqlalchemy.url",
            "there is no database",
            "add `sqlalchemy.url = postgresql://user@host/database`.",
        )

    @property
    def has_url(self) -> bool:
        """Whether `sqlalchemy.url` is set, and all variables in it are."""
        return bool(self.engine_options.known().get("sqlalchemy.url", "").strip())

    def split_locations(self, text: str) -> list[str]:
        """Split the `version_locations` that an `env.py` has set.

        It may have added to what it found there, which has a line for each folder; what it added
        is separated as in the .ini file.
        """
        key = "version_locations"
        known = self.alembic.get(key, "").split("\n")
        return [
            path
            for line in filter(None, text.split("\n"))
            for path in ([line] if line in known else _split({**self._separators, key: line}, key))
        ]

    @property
    def script_location(self) -> str:
        """Where the migrations are: an absolute path, or `package:folder`.

        Raises SettingsError when it is not set.
        """
        location = self.alembic.get("script_location")
        if location:
            return location
        near = nearest("script_location", self.alembic)
        raise self._missing(
            "alembic.script_location",
            "there are no migrations",
            f"is `alembic.{near}` a misspelling of it?" if near else _NO_LOCATION,
        )

    def _missing(self, key: str, consequence: str, hint: str) -> SettingsError:
        message = f"{self.section} has no `{key}`, so {consequence}."
        if key in self.config_vars:
            return SettingsError(
                f"{message} It was given as NAME=VALUE, and PasteDeploy keeps such keys from the"
                " app.",
                hint=f"give it by another name, `value=...`, and add `{key} = %(value)s` there.",
            )
        if key in self.default_keys:
            return SettingsError(
                f"{message} It stands in [DEFAULT], and PasteDeploy keeps such keys from the app.",
                hint=f"move it out of [DEFAULT], or add `get {key} = {key}` to that section.",
            )
        return SettingsError(message, hint=hint)


def load_settings(
    config_uri: str,
    config_vars: Mapping[str, str] | None = None,
    *,
    learn: Callable[[Iterable[str]], object] = list,
) -> Settings:
    """Read the settings of `config_uri`, `file.ini`, `file.ini#name` or `file.ini?key=value`.

    `learn` is called with all their secrets, before an error can show one.

    Raises SettingsError.
    """
    path, section, variables = _locate(config_uri, config_vars or {})
    learn(secrets_in_settings(variables))
    ini = read_ini(path, section, variables)
    everything = {**ini.defaults, **ini.alembic, **ini.app}
    learn(secrets_in_settings(everything))
    learn(secrets_in_settings(Expanded(everything).known()))
    return _combined(ini, variables)


def application_settings(global_config: Mapping[str, str], settings: Mapping[str, str]) -> Settings:
    """Return the settings of an application that is about to start, as a command has them.

    The two are what PasteDeploy gives the application's factory.

    Raises SettingsError.
    """
    file = global_config.get("__file__")
    path = Path(os.path.abspath(file or "application"))
    alembic = read_alembic_section(path, global_config) if file else {}
    return _combined(
        IniFile(
            path=path,
            section="The application",
            app=settings,
            alembic=alembic,
            defaults={},
            has_logging=False,
        ),
        {},
    )


def _combined(ini: IniFile, variables: dict[str, str]) -> Settings:
    alembic = {**ini.alembic, **_under("alembic.", ini.app)}
    engine_options = Expanded(
        {k: v for k, v in {**alembic, **ini.app}.items() if k.startswith("sqlalchemy.")}
    )
    own = Expanded({k: v for k, v in alembic.items() if k not in engine_options}, "alembic.")
    # If the [alembic] section has `sqlalchemy.*`, an env.py may look for it there.
    alembic = {k: v for k, v in engine_options.known().items() if k in alembic} | dict(own)
    return Settings(
        path=ini.path,
        section=ini.section,
        config_vars=variables,
        engine_options=engine_options,
        alembic=_normalised(alembic, ini.path.parent),
        options=read_options(Expanded(_under("migrate.", ini.app), "migrate.")),
        default_keys=frozenset(ini.defaults),
        warnings=(*misspellings(own), *_odd_booleans(own)),
        has_logging=ini.has_logging,
        _separators={key: own[key] for key in _SEPARATOR_NAMES if key in own},
    )


def _locate(
    config_uri: str, config_vars: Mapping[str, str]
) -> tuple[Path, str | None, dict[str, str]]:
    try:
        uri = plaster.parse_uri(config_uri)
    except plaster.InvalidURI:
        if os.path.isdir(config_uri):
            raise is_a_folder(Path(os.path.abspath(config_uri))) from None
        is_there = os.path.isfile(config_uri) and config_uri.endswith(".ini")
        raise SettingsError(
            f"`{config_uri}` is not the name of an .ini file.",
            hint=_IN_ITS_FOLDER if is_there else _NAME_A_FILE,
        ) from None
    if uri.scheme not in _INI_SCHEMES:
        raise SettingsError(
            f"`{config_uri}` is not an .ini file: its type is `{uri.scheme}`.", hint=_NAME_A_FILE
        )
    try:
        path = Path(os.path.abspath(uri.path))
    except OSError:
        raise SettingsError(
            f"The working directory does not exist any more, so `{config_uri}` can't be found.",
            hint="`cd` to one that exists, or give the whole path of the .ini file.",
        ) from None
    return path, uri.fragment or None, {**uri.options, **config_vars}


def _under(prefix: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)
    }


def _normalised(options: Mapping[str, str], here: Path) -> dict[str, str]:
    normalised = {key: value for key, value in options.items() if value.strip()}
    for key in BOOLEANS & normalised.keys():
        normalised[key] = "true" if normalised[key].strip().lower() in _TRUTHY else "false"
    if "script_location" in normalised:
        normalised["script_location"] = _absolute(normalised["script_location"], here)
    for key in _PATH_LISTS:
        if key in normalised:
            paths = _split(normalised, key)
            normalised[key] = "\n".join(_absolute(path, here) for path in paths)
    normalised.pop("version_path_separator", None)
    normalised["path_separator"] = "newline"
    _check_number(normalised, "truncate_slug_length")
    return normalised


def _odd_booleans(options: Mapping[str, str]) -> Iterator[str]:
    for key in sorted(BOOLEANS & options.keys()):
        if options[key].strip().lower() not in _TRUTHY | _FALSY:
            yield (
                f"`alembic.{key}` is `{options[key]}`, which counts as false: write `true` or"
                " `false`."
            )


def _split(options: Mapping[str, str], key: str) -> list[str]:
    """Split a list of paths as Alembic does (`Config.get_version_locations_list` and the like)."""
    # The older name is for this list only. In old files its value can be a comment.
    names = _SEPARATOR_NAMES if key == "version_locations" else _SEPARATOR_NAMES[:1]
    name = next((name for name in names if name in options), None)
    if name is None:
        return [path for path in re.split(_PATH_LISTS[key], options[key]) if path]
    if options[name] not in _SEPARATORS:
        raise SettingsError(
            f"`alembic.{name}` is `{options[name]}`, which is not one of its values.",
            hint="write one of: space, newline, os, `:`, `;`.",
        )
    paths = options[key].split(_SEPARATORS[options[name]])
    return [path.strip() for path in paths if path.strip()]


def _absolute(location: str, here: Path) -> str:
    is_resource = ":" in location and not os.path.isabs(location)
    return location if is_resource else os.path.normpath(here / location)


def _check_number(options: Mapping[str, str], key: str) -> None:
    value = options.get(key, "0")
    if not value.strip().isdecimal():
        raise SettingsError(
            f"`alembic.{key}` is `{value}`, which is not a number.",
            hint=f"write `alembic.{key} = 40`.",
        )

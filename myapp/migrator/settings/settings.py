"""From a config_uri to frozen settings."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import plaster

from ..base.errors import SettingsError
from ..base.spelling import nearest
from .alembic_options import OPTIONS, AlembicOptions
from .ini import IniFile, read_alembic_section, read_ini
from .ini_errors import is_a_folder
from .options import Options, read_options
from .url_secrets import secrets_in_settings
from .variables import Expanded

_INI_SCHEMES = {"file+ini", "pastedeploy", "pastedeploy+ini", "ini", "file"}
_NO_LOCATION = "add `alembic.script_location = package:migrations`; `{cmd} init FOLDER` makes one."
_NAME_A_FILE = "give the path of the application's .ini file, such as `development.ini`."
_RENAME_IT = "`#` and `?` start a section and its variables: give the file a name without them."
_IN_ITS_FOLDER = "`#` and `?` start a section and its variables: type the command in that folder."


@dataclass(frozen=True)
class Settings:
    """Everything that the .ini file says about migrations.

    `section` says where they are: `[app:main] in /srv/shop/shop.ini`. `default_keys` are those of
    [DEFAULT]. A value in `engine_options` with an unset variable raises SettingsError only when it
    is used, since not every command needs the database. `warnings` are sentences about what may be
    a mistake.
    """

    path: Path
    section: str
    config_vars: Mapping[str, str] = field(repr=False)
    engine_options: Expanded = field(repr=False)
    alembic: AlembicOptions = field(repr=False)
    options: Options
    default_keys: frozenset[str]
    warnings: tuple[str, ...]
    has_logging: bool

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
                hint="give it a value; or is its environment variable empty?",
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

    @property
    def script_location(self) -> str:
        """Where the migrations are: an absolute path, or `package:folder`.

        Raises SettingsError when it is not set.
        """
        location = self.alembic.get("script_location")
        if location:
            return location
        near = nearest("script_location", self.alembic.keys() - OPTIONS.keys())
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
        name = key.removeprefix("alembic.")
        if name != key and name in self.default_keys:
            return SettingsError(
                f"{message} `{name}` stands in [DEFAULT], which Alembic reads for [alembic] only.",
                hint=f"add a section [alembic], or `{key} = %({name})s` to that section.",
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
    for_env_py = {k: v for k, v in engine_options.known().items() if k in alembic}
    options = AlembicOptions(own, ini.path.parent, for_env_py)
    return Settings(
        path=ini.path,
        section=ini.section,
        config_vars=variables,
        engine_options=engine_options,
        alembic=options,
        options=read_options(Expanded(_under("migrate.", ini.app), "migrate.")),
        default_keys=frozenset(ini.defaults),
        warnings=tuple(options.warnings()),
        has_logging=ini.has_logging,
    )


def _locate(
    config_uri: str, config_vars: Mapping[str, str]
) -> tuple[Path, str | None, dict[str, str]]:
    try:
        uri = plaster.parse_uri(config_uri)
    except plaster.InvalidURI:
        if os.path.isdir(config_uri):
            raise is_a_folder(Path(os.path.abspath(config_uri))) from None
        hint = _NAME_A_FILE
        if os.path.isfile(config_uri) and config_uri.endswith(".ini"):
            is_odd = not {"#", "?"}.isdisjoint(os.path.basename(config_uri))
            hint = _RENAME_IT if is_odd else _IN_ITS_FOLDER
        raise SettingsError(f"`{config_uri}` is not the name of an .ini file.", hint=hint) from None
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

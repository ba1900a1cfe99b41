"""Read an .ini file the way PasteDeploy does for `pserve`, without loading the application."""

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from paste.deploy import loadwsgi

from .errors import SettingsError


@dataclass(frozen=True)
class IniFile:
    """What one .ini file says about one application; values are interpolated."""

    path: Path
    section: str
    app: Mapping[str, str] = field(repr=False)
    alembic: Mapping[str, str] = field(repr=False)
    defaults: Mapping[str, str] = field(repr=False)
    has_logging: bool


def read_ini(path: Path, section: str | None, config_vars: Mapping[str, str]) -> IniFile:
    """Read the settings that `pserve` would give the application `section` (None: `main`).

    `config_vars` are the NAME=VALUE pairs of the command line. The answer is that of
    `plaster_pastedeploy.Loader.get_wsgi_app_settings`, with three differences: no application
    module is imported; a pipeline or a `filter-with` answers with its application's settings, and
    so does a composite in which one application has a database.

    Raises SettingsError when the file or the section can't be read.
    """
    if not path.exists():
        raise _missing_file(path)
    if path.is_dir():
        raise SettingsError(f"{path} is a folder, not an .ini file.", hint="name the .ini file.")
    name = section or "main"
    try:
        # The order in which PasteDeploy adds them decides that [DEFAULT] wins over a config var.
        loader = _SettingsLoader(str(path))
        defaults = {"__file__": str(path), "here": str(path.parent), **config_vars}
        loader.update_defaults(defaults, overwrite=False)
        context = loader.get_context(loadwsgi.APP, name, defaults)
        app = _application(context, defaults, path, name)
        return IniFile(
            path=path,
            section=name,
            app=app,
            alembic=_alembic_section(path, config_vars),
            defaults=loader.parser.defaults(),
            has_logging=loader.parser.has_section("loggers"),
        )
    except (OSError, UnicodeError) as error:
        raise SettingsError(
            f"{path} can't be read: {_reason(error)}.", hint="save it as readable UTF-8 text."
        ) from None
    except configparser.Error as error:
        raise _bad_syntax(path, error) from None
    except LookupError as error:
        raise _missing_section(path, name, error) from None


class _SettingsLoader(loadwsgi.ConfigLoader):  # type: ignore[misc] # PasteDeploy ships no types
    """PasteDeploy's loader, except that `use = egg:`, `call:` and `paste.app_factory` load nothing.

    A migration must run while the application's own modules can't be imported, and importing them
    costs time.
    """

    def __init__(self, filename: str) -> None:
        super().__init__(filename)
        for section in self.parser.sections():
            for protocol in loadwsgi.APP.egg_protocols[0]:
                if self.parser.has_option(section, protocol):
                    factory = self.parser.get(section, protocol, raw=True)
                    self.parser.remove_option(section, protocol)
                    if not self.parser.has_option(section, "use"):
                        self.parser.set(section, "use", f"call:{factory}")

    def get_context(
        self, object_type: Any, name: str | None = None, global_conf: Any = None
    ) -> Any:
        if name is None or not self.absolute_name(name):
            return super().get_context(object_type, name, global_conf)
        scheme, _, spec = name.partition(":")
        if scheme.lower() != "config":
            return loadwsgi.LoaderContext(None, object_type, None, global_conf or {}, {}, self)
        target, _, fragment = spec.partition("#")
        loader = type(self)(os.path.join(os.path.dirname(self.filename), unquote(target)))
        loader.update_defaults(global_conf or {}, overwrite=False)
        return loader.get_context(object_type, fragment or "main", global_conf)


def _application(
    context: Any, global_conf: Mapping[str, str], path: Path, name: str
) -> dict[str, str]:
    """Follow wrappers down to the application whose settings are meant."""
    if context.object_type is loadwsgi.PIPELINE:
        return _application(context.app_context, global_conf, path, name)
    if context.object_type in (loadwsgi.FILTER_APP, loadwsgi.FILTER_WITH):
        return _application(context.next_context, global_conf, path, name)
    if str(context.protocol).startswith("paste.composit"):
        return _application_in_composite(context, global_conf, path, name)
    return dict(context.local_conf)


def _application_in_composite(
    context: Any, global_conf: Mapping[str, str], path: Path, name: str
) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {}
    for part in context.local_conf.values():
        try:
            nested = context.loader.get_context(loadwsgi.APP, part, dict(global_conf))
        except (LookupError, OSError):
            continue  # an option of the composite, such as `not_found_app`, and no application
        found[part] = _application(nested, global_conf, path, name)
    with_database = {
        part: settings for part, settings in found.items() if "sqlalchemy.url" in settings
    }
    if len(with_database) > 1:
        names = ", ".join(with_database)
        first = next(iter(with_database))
        raise SettingsError(
            f"[composite:{name}] in {path} has several applications with a database: {names}.",
            hint=f"name one: `{path.name}#{first}`.",
        )
    return next(iter((with_database or found).values()), dict(context.local_conf))


def _alembic_section(path: Path, config_vars: Mapping[str, str]) -> dict[str, str]:
    loader = loadwsgi.ConfigLoader(str(path))
    loader.update_defaults(config_vars)
    if not loader.parser.has_section("alembic"):
        return {}
    return {key: loader.parser.get("alembic", key) for key in loader.parser["alembic"]}


def _missing_file(path: Path) -> SettingsError:
    folder = path.parent
    near = get_close_matches(path.name, (str(p.name) for p in folder.glob("*.ini")), 1, 0.5)
    hint = f"is `{near[0]}` meant?" if near else "give the path of the application's .ini file."
    return SettingsError(f"No such file: {path}.", hint=hint)


def _missing_section(path: Path, name: str, error: LookupError) -> SettingsError:
    loader = loadwsgi.ConfigLoader(str(path))
    sections = loader.parser.sections()
    if any(section.partition(":")[2].strip() == name for section in sections):
        return SettingsError(f"{path} can't be read: {error.args[0] if error.args else error}.")
    apps = [s.partition(":")[2] for s in sections if s.startswith(("app:", "application:"))]
    hint = f"its applications: {', '.join(apps)}; write `{path.name}#{apps[0]}`." if apps else None
    return SettingsError(
        f"{path} has no section [app:{name}], so there are no settings to read.",
        hint=hint or f"add a section [app:{name}] with `sqlalchemy.url` in it.",
    )


def _bad_syntax(path: Path, error: configparser.Error) -> SettingsError:
    """Say what is wrong, without the offending text: it may hold a password."""
    match error:
        case configparser.InterpolationError(section=section, option=option):
            return SettingsError(
                f"`{option}` in [{section}] of {path} has a `%` that can't be expanded.",
                hint="write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT]"
                " or as NAME=VALUE after the .ini file.",
            )
        case configparser.DuplicateOptionError(section=section, option=option, lineno=line):
            what = f"line {line} sets `{option}` in [{section}] a second time"
        case configparser.DuplicateSectionError(section=section, lineno=line):
            what = f"line {line} opens the section [{section}] a second time"
        case configparser.MissingSectionHeaderError(lineno=line):
            what = f"line {line} stands before any [section]"
        case configparser.ParsingError(errors=errors) if errors:
            what = f"line {errors[0][0]} is neither `key = value` nor a [section]"
        case _:
            what = type(error).__name__
    return SettingsError(f"{path} is not a valid .ini file: {what}.", hint="mend that line.")


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "it is not UTF-8"
    return error.strerror or type(error).__name__

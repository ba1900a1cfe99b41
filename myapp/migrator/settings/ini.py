"""Read an .ini file the way PasteDeploy does for `pserve`, without loading the application."""

import configparser
import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from paste.deploy import loadwsgi

from ..base.errors import SettingsError
from ..base.spelling import nearest


@dataclass(frozen=True)
class IniFile:
    """What one .ini file says about one application, with `%(name)s` replaced in the values.

    `section` says where the application's settings are: `[app:main] in /srv/shop/shop.ini`.
    """

    path: Path
    section: str
    app: Mapping[str, str] = field(repr=False)
    alembic: Mapping[str, str] = field(repr=False)
    defaults: Mapping[str, str] = field(repr=False)
    has_logging: bool


def read_ini(path: Path, name: str | None, config_vars: Mapping[str, str]) -> IniFile:
    """Read the settings that `pserve` would give the application `name` (None: `main`).

    `config_vars` are the NAME=VALUE pairs of the command line. The result is that of
    `plaster_pastedeploy.Loader.get_wsgi_app_settings`, with these differences. No module of the
    application is imported. For a pipeline or a `filter-with`, it is the settings of its
    application. For a composite, it is those of its application that has a database.

    Raises SettingsError when the file or the section can't be read.
    """
    name = name or "main"
    with _told(path):
        if not path.exists():
            raise _missing_file(path)
        if path.is_dir():
            raise is_a_folder(path)
        loader, defaults = _loader(path, config_vars)
        if not loader.has_application(name):
            raise _missing_section(path, name, loader.parser.sections())
        application = _application(loader.get_context(loadwsgi.APP, name, defaults))
        return IniFile(
            path=path,
            section=application.section,
            app=dict(application.local_conf),
            alembic=_alembic_section(loader.parser),
            defaults=loader.parser.defaults(),
            has_logging=loader.parser.has_section("loggers"),
        )


def read_alembic_section(path: Path, config_vars: Mapping[str, str]) -> dict[str, str]:
    """Read what stands in [alembic] of a file that an application was started from.

    Raises SettingsError when it can't be read.
    """
    with _told(path):
        loader, _ = _loader(path, config_vars)
        return _alembic_section(loader.parser)


def _loader(path: Path, config_vars: Mapping[str, str]) -> tuple["_SettingsLoader", dict[str, str]]:
    # Without `overwrite`, [DEFAULT] wins over a NAME=VALUE pair, as it does with PasteDeploy.
    loader = _SettingsLoader(str(path))
    defaults = {"__file__": str(path), "here": str(path.parent), **config_vars}
    loader.update_defaults(defaults, overwrite=False)
    return loader, defaults


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Raise as a SettingsError what is wrong with the file that is read within."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, error) from None
    except configparser.Error as error:
        raise bad_syntax(path, error) from None
    except (LookupError, RecursionError) as error:
        raise _misled(path, error) from None


class _SettingsLoader(loadwsgi.ConfigLoader):  # type: ignore[misc] # PasteDeploy ships no types
    """PasteDeploy's loader, except that it loads no application and needs no installed package.

    A migration must run even while the application can't be imported. Importing also costs time.
    """

    def __init__(self, filename: str) -> None:
        super().__init__(filename)
        kinds = [*loadwsgi.APP.egg_protocols, *loadwsgi.FILTER.egg_protocols]
        for section in self.parser.sections():
            self.parser.remove_option(section, "require")
            for protocol in itertools.chain(*kinds):
                if self.parser.has_option(section, protocol):
                    factory = self.parser.get(section, protocol, raw=True)
                    self.parser.remove_option(section, protocol)
                    if not self.parser.has_option(section, "use"):
                        self.parser.set(section, "use", f"call:{factory}")

    def has_application(self, name: str) -> bool:
        try:
            self.find_config_section(loadwsgi.APP, name)
        except LookupError as error:
            return "Ambiguous" in str(error)
        return True

    def get_context(
        self, object_type: Any, name: str | None = None, global_conf: Any = None
    ) -> Any:
        if name is None or not self.absolute_name(name):
            context = super().get_context(object_type, name, global_conf)
            section = self.find_config_section(object_type, name)
            context.section = f"[{section}] in {self.filename}"
            return context
        scheme, _, spec = name.partition(":")
        if scheme.lower() != "config":
            context = loadwsgi.LoaderContext(None, object_type, None, global_conf or {}, {}, self)
            context.section = f"`{name}` in {self.filename}"
            return context
        target, _, fragment = spec.partition("#")
        loader = type(self)(os.path.join(os.path.dirname(self.filename), unquote(target)))
        loader.update_defaults(global_conf or {}, overwrite=False)
        return loader.get_context(object_type, fragment or "main", global_conf)


def _application(context: Any) -> Any:
    """Return the context of the application inside pipelines, filters and composites."""
    if context.object_type is loadwsgi.PIPELINE:
        return _application(context.app_context)
    if context.object_type is loadwsgi.FILTER_APP:
        return _application(context.next_context)
    if context.object_type is loadwsgi.FILTER_WITH:
        context.next_context.section = context.section
        return _application(context.next_context)
    if str(context.protocol).startswith("paste.composit"):
        return _application_in_composite(context)
    return context


def _application_in_composite(context: Any) -> Any:
    found = {}
    for part in context.local_conf.values():
        # Anything else is an option of the composite, such as `catch = 404`.
        with suppress(LookupError, OSError):
            nested = context.loader.get_context(loadwsgi.APP, part, context.global_conf)
            found[part] = _application(nested)
    with_database = {
        part: application
        for part, application in found.items()
        if "sqlalchemy.url" in application.local_conf
    }
    if len(with_database) > 1:
        file = os.path.basename(context.loader.filename)
        raise SettingsError(
            f"{context.section} has several applications with a database:"
            f" {', '.join(with_database)}.",
            hint=f"name one: `{file}#{next(iter(with_database))}`.",
        )
    return next(iter((with_database or found).values()), context)


def _alembic_section(parser: configparser.ConfigParser) -> dict[str, str]:
    """Return the options in [alembic] itself, without those that it inherits from [DEFAULT]."""
    if not parser.has_section("alembic"):
        return {}
    inherited = dict(parser.items("DEFAULT", raw=True))
    own = dict(parser.items("alembic", raw=True)).items() - inherited.items()
    return {key: parser.get("alembic", key) for key, _ in own}


def is_a_folder(path: Path) -> SettingsError:
    """Return the error of a folder that was given in place of an .ini file."""
    names = [file.name for file in sorted(path.glob("*.ini"))]
    return SettingsError(
        f"{path} is a folder, not an .ini file.",
        hint=f"name one of its files: {', '.join(names)}." if names else "name the .ini file.",
    )


def _missing_file(path: Path) -> SettingsError:
    if path.is_symlink():
        return SettingsError(
            f"{path} is a link to {os.readlink(path)}, which does not exist.", hint="fix the link."
        )
    near = nearest(path.name, (file.name for file in path.parent.glob("*.ini")), 0.5)
    hint = f"did you mean `{near}`?" if near else "give the path of the application's .ini file."
    return SettingsError(f"No such file: {path}.", hint=hint)


def _missing_section(path: Path, name: str, sections: list[str]) -> SettingsError:
    apps = [s.partition(":")[2] for s in sections if s.startswith(("app:", "application:"))]
    near = nearest(name, apps) or next(iter(apps), None)
    hint = f"its applications: {', '.join(apps)}; write `{path.name}#{near}`." if apps else None
    return SettingsError(
        f"{path} has no section [app:{name}], so there are no settings to read.",
        hint=hint or f"add a section [app:{name}] with `sqlalchemy.url` in it.",
    )


def _unreadable(path: Path, error: OSError | UnicodeError) -> SettingsError:
    if isinstance(error, UnicodeError):
        return SettingsError(
            f"{path} can't be read: it is not UTF-8.", hint="save it as UTF-8 text."
        )
    reason = error.strerror or type(error).__name__
    if error.filename and os.path.abspath(error.filename) != str(path):
        return SettingsError(
            f"{path} can't be read: it uses {error.filename}: {reason}.",
            hint="fix the `config:` that names it.",
        )
    return SettingsError(f"{path} can't be read: {reason}.", hint="let this user read it.")


def _misled(path: Path, error: LookupError | RecursionError) -> SettingsError:
    """Return the error of a section that refers to one that is missing, or to itself."""
    if isinstance(error, KeyError):
        return SettingsError(
            f"{path} can't be read: a `get` asks for `{error.args[0]}`, which is not set.",
            hint="set it in [DEFAULT], or give it as NAME=VALUE after the .ini file.",
        )
    circle = "the sections that it uses lead in a circle"
    return SettingsError(
        f"{path} can't be read: {circle if isinstance(error, RecursionError) else error}.",
        hint="fix that section's `use`, `pipeline` or `next`.",
    )


def bad_syntax(path: Path | str, error: configparser.Error) -> SettingsError:
    """Return the error of a syntax error, without the text of the line: it may hold a password."""
    match error:
        case configparser.InterpolationError(option="here" | "__file__"):
            return SettingsError(
                f"The path {path} has a `%` in it, which PasteDeploy takes for a variable.",
                hint="rename that folder or file.",
            )
        case configparser.InterpolationError(section=section, option=option):
            given = ", or given as NAME=VALUE," if section == "DEFAULT" else ""
            return SettingsError(
                f"`{option}` in [{section}] of {path}{given} has a `%` that can't be expanded.",
                hint="write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT]"
                " or as NAME=VALUE after the .ini file.",
            )
        case configparser.DuplicateOptionError(section=section, option=option, lineno=line):
            what = f"line {line} sets `{option}` in [{section}] a second time"
        case configparser.DuplicateSectionError(section=section, lineno=line):
            what = f"line {line} opens the section [{section}] a second time"
        case configparser.MissingSectionHeaderError(line=text) if text.startswith("\ufeff"):
            return SettingsError(
                f"{path} starts with a byte order mark, which PasteDeploy can't read.",
                hint="save it as UTF-8 without BOM.",
            )
        case configparser.MissingSectionHeaderError(lineno=line):
            what = f"line {line} stands before any [section]"
        case configparser.ParsingError(errors=errors) if errors:
            what = f"line {errors[0][0]} is neither `key = value` nor a [section]"
        case _:
            what = type(error).__name__
    return SettingsError(f"{path} is not a valid .ini file: {what}.", hint="fix that line.")

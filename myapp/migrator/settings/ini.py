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
from .alembic_options import OPTIONS
from .ini_errors import bad_syntax, is_a_folder, misled, missing_file, missing_section, unreadable


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
            raise missing_file(path)
        if path.is_dir():
            raise is_a_folder(path)
        loader, defaults = _loader(path, config_vars)
        if not loader.has_application(name):
            raise missing_section(path, name, loader.parser.sections())
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
        raise unreadable(path, error) from None
    except configparser.Error as error:
        raise bad_syntax(path, error) from None
    except (LookupError, RecursionError) as error:
        raise misled(path, error) from None


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
    """Return the options in [alembic], as Alembic reads them.

    Of those that it inherits from [DEFAULT], it has Alembic's own: the others are another's.
    """
    if not parser.has_section("alembic"):
        return {}
    inherited = dict(parser.items("DEFAULT", raw=True))
    own = dict(dict(parser.items("alembic", raw=True)).items() - inherited.items())
    return {
        key: parser.get("alembic", key) for key in own.keys() | (inherited.keys() & OPTIONS.keys())
    }

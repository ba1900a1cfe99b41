"""Import what the .ini file names in the application: its metadata and naming convention."""

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Mapping
from sysconfig import get_paths
from types import ModuleType
from typing import Any

from sqlalchemy import MetaData

from ..base.errors import SettingsError
from ..database.failures import described
from ..settings.settings import Settings

_IMPORTERS = {__file__, importlib.__file__, pkgutil.__file__}
_LIBRARIES = tuple(get_paths()[kind] for kind in ("stdlib", "purelib", "platlib"))
_METADATA = "target_metadata"
_CONVENTION = "naming_convention"
_FORMS = {
    _METADATA: "`package.module:Base.metadata`",
    _CONVENTION: "`package.module:NAMING_CONVENTION`, a dict or a MetaData",
}


def target_metadata(settings: Settings) -> MetaData | list[MetaData] | None:
    """Import what `alembic.target_metadata` names: `package.module:Base.metadata`.

    Several names, separated by commas or white space, give a list. None when it is not set.

    Raises SettingsError when a name can't be resolved.
    """
    names = settings.alembic.get(_METADATA, "").replace(",", " ").split()
    found = [_metadata(name) for name in names]
    return found[0] if len(found) == 1 else found or None


def naming_convention(settings: Settings) -> MetaData | None:
    """Return metadata without a table that has the convention of `alembic.naming_convention`.

    Alembic asks the metadata that it compares with for the names of what has none in a revision.
    None when the setting is not set.

    Raises SettingsError when the name can't be resolved.
    """
    name = settings.alembic.get(_CONVENTION)
    if name is None:
        return None
    found = _resolve(_CONVENTION, name.strip())
    if isinstance(found, MetaData):
        found = found.naming_convention
    if not isinstance(found, Mapping):
        raise _is_no(_CONVENTION, name, "neither a dict nor a MetaData of SQLAlchemy")
    return MetaData(naming_convention=dict(found))


def convention_missed(settings: Settings, metadata: Iterable[MetaData]) -> str | None:
    """Return a sentence if the models have a naming convention that the migrations don't have.

    Raises SettingsError when the setting's name can't be resolved.
    """
    plain = MetaData().naming_convention
    wanted = [each.naming_convention for each in metadata if each.naming_convention != plain]
    own = naming_convention(settings)
    if not wanted or (own is not None and own.naming_convention in wanted):
        return None
    what = (
        f"`alembic.naming_convention` is `{settings.alembic[_CONVENTION]}`, which is another naming"
        " convention than the models'"
        if own is not None
        else "the models have a naming convention, and `alembic.naming_convention` is not set"
    )
    return (
        f"{what}. So `upgrade` gives other names to keys and checks without a name. Set"
        " `alembic.naming_convention = package.module:NAMING_CONVENTION`."
    )


def _metadata(name: str) -> MetaData:
    found = _resolve(_METADATA, name)
    if not isinstance(found, MetaData):
        raise _is_no(_METADATA, name, "not a MetaData of SQLAlchemy")
    return found


def _is_no(option: str, name: str, what: str) -> SettingsError:
    return SettingsError(
        f"`alembic.{option}` is `{name}`, which is {what}.", hint=f"write it as {_FORMS[option]}."
    )


def _resolve(option: str, name: str) -> Any:
    try:
        return pkgutil.resolve_name(name)
    except Exception as error:
        found = place_of(error)
        place = f"{found[0]} (line {found[1]})" if found else None
        reason = f"{place}: {_said(error)}" if place else error
        raise SettingsError(
            f"`alembic.{option}` is `{name}`, which can't be imported: {reason}.",
            hint=_mended(option, error, place),
        ) from error


def _said(error: Exception) -> str:
    if isinstance(error, SyntaxError):  # its text repeats the place
        return f"{type(error).__name__}: {error.msg}"
    return described(error)


def _mended(option: str, error: Exception, place: str | None) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"{'is that' if place else 'is it spelt right, and its'} package installed"
            " (`pip install -e .` for the application itself)? A folder beside the .ini file needs"
            " `alembic.prepend_sys_path = %(here)s`."
        )
    if place:
        return "fix that module; `--traceback` before CONFIG_URI shows the way there."
    return f"write it as {_FORMS[option]}."


def place_of(error: BaseException | None) -> tuple[str, int] | None:
    """Return the file and line of the application's code that failed; None if none did."""
    if error is None:
        return None
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 1
    # Most errors show in a library. The application's own line is the one that led there.
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename not in _IMPORTERS
    ]
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)] or frames
    return (own[-1].filename, own[-1].lineno or 1) if own else None


def models_module(settings: Settings) -> ModuleType | None:
    """Return the module that `alembic.target_metadata` names first, None if it isn't imported."""
    name = settings.alembic.get(_METADATA, "").replace(",", " ").strip().partition(" ")[0]
    return sys.modules.get(name.partition(":")[0])

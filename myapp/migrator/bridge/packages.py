"""Folders that a setting names by their package, `package:folder`."""

import os
import traceback
from pathlib import Path

from alembic.util import coerce_resource_to_filename

from ..base.errors import SettingsError
from ..database.failures import described

_SO = {
    "script_location": "there are no migrations",
    "version_locations": "it is not known which revisions there are",
}


def folder_of(key: str, location: str) -> Path:
    """Return the folder `location`, which is the value of `alembic.{key}`.

    Raises SettingsError when its package is not there, or can't be imported.
    """
    try:
        return coerce_resource_to_filename(location)
    # A package may raise anything, and end the process by `sys.exit()`.
    except (Exception, SystemExit) as error:
        raise no_package(key, location, error) from error


def no_package(key: str, location: str, error: BaseException) -> SettingsError:
    """Return what to tell of a package that raised `error` when it was to be imported."""
    package = location.partition(":")[0]
    if isinstance(error, ModuleNotFoundError) and f"{package}.".startswith(f"{error.name}."):
        return SettingsError(
            f"`alembic.{key}` is `{location}`, which does not exist: {error.msg}, so {_SO[key]}.",
            hint="is it spelt right, and installed (`pip install -e .` for the application itself)?"
            " A package beside the .ini file needs `alembic.prepend_sys_path = %(here)s`.",
        )
    path, line = _place(error, package)
    where = f"{path} (line {line}) raised " if path else ""
    return SettingsError(
        f"`alembic.{key}` is `{location}`, and `{package}` can't be imported, so {_SO[key]}:"
        f" {where}{described(error)}.",
        hint="fix that line, or install what it imports. A path in place of `package:folder`"
        " needs no import."
        if path
        else "write `package:folder`, or a path.",
    )


def _place(error: BaseException, package: str) -> tuple[str | None, int | None]:
    """Return the last file of `package` on the way to the error, and the line in it."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((str(error.filename), error.lineno))
    folder = f"{os.sep}{package.partition('.')[0]}{os.sep}"
    for path, line in reversed(places):
        if folder in path:
            return path, line
    return None, None

"""From a Config to the revision history, with Alembic at hand."""

import os
import sys
from collections.abc import Mapping
from configparser import Error as IniError
from contextlib import suppress
from copy import copy
from os import PathLike
from pathlib import Path
from types import ModuleType

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from alembic.util.exc import CommandError

from ..base.errors import HistoryError, SettingsError
from ..revisions.files import Reading, may_be_named_by, why_not_read
from ..revisions.graph import Graph
from ..revisions.history import History
from ..settings.ini_errors import bad_syntax
from .context import RunContext
from .env_py import env_py_of, spoken
from .lazy_scripts import LazyScript, read_graph, version_folders
from .packages import no_package


class ScriptHistory(History):
    """A history that Alembic can be asked about too."""

    def __init__(
        self,
        script: ScriptDirectory,
        graph: Graph,
        modules: Mapping[str, ModuleType],
        writes: str | None = None,
    ) -> None:
        """Join `script` and its `graph`; `modules` are the files that have run.

        `writes` is that of `load_history`.
        """
        super().__init__(graph, script.dir)
        #: The same revisions for Alembic.
        self.script = script
        self.writes = writes
        #: Whether all folders were there. They may go away while a run is at work.
        self.has_folders = False
        self._modules = modules
        self._scripts: dict[str, LazyScript] = {}

    def script_of(self, revision: str) -> Script:
        """Return the revision file with exactly this id, which can be run."""
        if revision not in self._scripts:
            file = self.graph.files[revision]
            self._scripts[revision] = LazyScript(file, self._modules.get(revision))
        return self._scripts[revision]


def require_loadable(history: ScriptHistory) -> None:
    """Raise HistoryError unless every revision file can be compiled and imported."""
    broken = [error for _, error in broken_files(history)]
    if len(broken) == 1:
        raise broken[0]
    if broken:
        listed = "".join(f"\n  {error.message}" for error in broken)
        raise HistoryError(
            f"{len(broken)} revision files can't be loaded:{listed}",
            hint="fix them, or take them away.",
            paths=[path for error in broken for path in error.details["paths"]],
        )


def broken_files(history: ScriptHistory) -> list[tuple[str, HistoryError]]:
    """Return the revisions whose files can't be compiled and imported, the oldest first."""
    broken = []
    for revision in reversed(history.ids):
        try:
            _ = history.script_of(revision).module
        except HistoryError as error:
            broken.append((revision, error))
    return broken


def load_history(
    context: RunContext, reading: Reading | None = None, *, writes: str | None = None
) -> ScriptHistory:
    """Load the revision files of `context`.

    `reading` is what they say, if the caller has read them.

    `writes` is the folder for a new revision, which may be missing; the default one if it is empty.

    Raises SettingsError when there is no folder of migrations, HistoryError when a folder of
    revisions is missing, or the files form no history.
    """
    script = _directory(context, writes)
    if not os.path.isfile(script.dir):
        _require_readable(script.dir, "migrations")
    if env_py_of(script) is None:
        raise _bad_location(context, "which has no env.py")
    history = _load(script, writes, reading)
    if not may_be_named_by(env_py_of(script)):
        _require_folders(context, history)
    return history


def _directory(context: RunContext, writes: str | None) -> ScriptDirectory:
    """Return Alembic's directory; it has the post-write hooks only where something `writes`."""
    config = copy(context.config)
    if writes is None:
        # Alembic reads [post_write_hooks] for every command, and fails at a fault in it.
        config.get_hooks_list = list  # type: ignore[method-assign]
    else:
        _require_timezone(context)
    location = context.settings.script_location
    _append_working_folder(context)
    try:
        return ScriptDirectory.from_config(config)
    except CommandError:
        raise _bad_location(context, "which does not exist") from None
    except IniError as error:
        raise bad_syntax(context.settings.path, error) from None
    # A package's own code may raise anything, and end the process by `sys.exit()`.
    except (Exception, SystemExit) as error:
        raise no_package("script_location", location, error) from error


def _append_working_folder(context: RunContext) -> None:
    """Import what is found nowhere else from where Alembic takes `prepend_sys_path`."""
    options = context.settings.alembic
    for path in options.get("prepend_sys_path", "").split("\n"):
        for place in options.tried(path):
            if place != path and place not in sys.path:
                sys.path.append(place)


def _require_timezone(context: RunContext) -> None:
    """Raise SettingsError unless a new file's date can be written in `alembic.timezone`."""
    name = context.settings.alembic.get("timezone", "").strip()
    if not name:
        return
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    for spelling in (name, name.upper()):  # as Alembic tries
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            ZoneInfo(spelling)
            return
    raise SettingsError(
        f"`alembic.timezone` is `{name}`, a time zone that is not known here, so a new revision"
        " can't be dated.",
        hint="write a name such as `UTC` or `Europe/Berlin`; `pip install tzdata` brings all of"
        " them.",
    )


def settled(context: RunContext, history: ScriptHistory) -> ScriptHistory:
    """Return `history`, or that of the files which count now that `env.py` has run.

    Raises HistoryError when a folder is missing, or the files form no history.
    """
    left = spoken(context, history.script)
    if _files(left) != _files(history.script):
        history = _load(_with_folders_of(left), history.writes)
    _require_folders(context, history)
    return history


def _with_folders_of(left: ScriptDirectory) -> ScriptDirectory:
    return ScriptDirectory(
        left.dir,
        file_template=left.file_template,
        truncate_slug_length=left.truncate_slug_length,
        version_locations=_files(left)[0],
        sourceless=left.sourceless,
        output_encoding=left.output_encoding,
        timezone=left.timezone,
        hooks=left.hooks,
        recursive_version_locations=left.recursive_version_locations,
        messaging_opts=left.messaging_opts,
    )


def _files(script: ScriptDirectory) -> tuple[list[str], bool, bool]:
    """Return what decides which files `script` reads.

    An `env.py` that adds a folder may add it at each run.
    """
    locations = list(dict.fromkeys(map(str, script.version_locations)))
    return locations, script.sourceless, script.recursive_version_locations


def _load(
    script: ScriptDirectory, writes: str | None, reading: Reading | None = None
) -> ScriptHistory:
    for folder in version_folders(script):
        _require_readable(folder, "revisions")
    history = ScriptHistory(script, *read_graph(script, reading), writes)
    script.revision_map = RevisionMap(lambda: map(history.script_of, history.graph.files))
    return history


def _require_readable(folder: str | PathLike[str], of: str) -> None:
    if why := why_not_read(folder):
        raise HistoryError(
            f"The folder of {of} {folder} can't be read: {why}.",
            hint="it is a file: move it, or fix `alembic.version_locations`."
            if os.path.isfile(folder)
            else "let this user read and enter it.",
            paths=[str(folder)],
        )


def _require_folders(context: RunContext, history: ScriptHistory) -> None:
    """Raise HistoryError when a folder of revisions is missing, save one that is to be written.

    A deploy without its revisions would find nothing to do. An `env.py` that names the folders has
    to have run before.
    """
    if history.has_folders:
        return
    default = Path(history.script.dir, "versions").absolute()
    new = [] if history.writes is None else [default, Path(history.writes)]
    missing = [folder for folder in version_folders(history.script) if not folder.exists()]
    for folder in missing:
        if folder in new:
            continue
        raise HistoryError(
            f"The folder of revisions {folder} does not exist, so it is not known which revisions"
            " there are.",
            hint="deploy it with the code; if there is no revision yet, the first one makes it:"
            ' `{cmd} revision -m "..."`.'
            if folder == default
            else f"fix `alembic.version_locations`{_how_split(context)}, or make the folder.",
            paths=[str(folder)],
        )
    history.has_folders = True


def _how_split(context: RunContext) -> str:
    if context.settings.alembic.splits_at_blanks:
        return " (folders are separated by blanks, unless you set `alembic.path_separator`)"
    return ""


def _bad_location(context: RunContext, what: str) -> SettingsError:
    location = context.settings.script_location
    tried = context.settings.alembic.tried(location)
    if len(tried) > 1 and not os.path.exists(location):
        told = f"relative, and neither `{tried[0]}` nor `{tried[1]}` exists"
    else:
        told = f"`{location}`, {what}"
    return SettingsError(
        f"`alembic.script_location` is {told}, so there are no migrations.",
        hint="fix it (a relative path starts at the .ini file's folder, or else at the working"
        " folder), or make the folder with `{cmd} init FOLDER`.",
    )

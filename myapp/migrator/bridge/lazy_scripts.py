"""Revision files for Alembic, each of which runs when its `upgrade` or `downgrade` is needed.

All others are only read: a file that no run needs any more can't stop one.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision
from alembic.util import warn

from ..base.ask_alembic import AskAlembic
from ..revisions.facts import Doubt, RevisionFile, id_in_file_name
from ..revisions.files import Reading, read_revision_files
from ..revisions.graph import Graph
from ..revisions.running import run_file
from ..revisions.tested import untested_alembic
from .packages import folder_of


class LazyScript(Script):
    """A revision file that has been read, and that runs at the first look at its `module`."""

    def __init__(self, file: RevisionFile, module: ModuleType | None = None) -> None:
        self._doc = file.doc
        self._module = module
        self.path = file.path
        Revision.__init__(
            self,
            file.revision,
            file.down_revision or None,
            file.depends_on or None,
            file.branch_labels or None,
        )

    @property
    def module(self) -> ModuleType:  # type: ignore[override] # Alembic only reads it
        """The file as a module. Raises HistoryError when it can't be loaded."""
        if self._module is None:
            try:
                self._module = run_file(self.path)
            # A file may raise anything, and end the process by `sys.exit()`.
            except (Exception, SystemExit) as error:
                from .diagnosis import not_loaded

                raise not_loaded(self.path, error) from error
        return self._module

    @property
    def longdoc(self) -> str:
        """The docstring, as read."""
        return self._doc


def read_graph(
    script: ScriptDirectory, known: Reading | None = None
) -> tuple[Graph, dict[str, ModuleType]]:
    """Return the revisions of `script`, read as text or `known`, and the modules of those that ran.

    Raises HistoryError when a file can't be read, or they form no history.
    """
    reading = read_revision_files(
        [folder for folder in version_folders(script) if folder.exists()],
        sourceless=script.sourceless,
        recursive=script.recursive_version_locations,
        known=known,
    )
    for path in reading.twice:
        # As Alembic does, which takes it once too.
        warn(f"File {path} loaded twice! ignoring. Please ensure version_locations is unique.")
    files = [_by_alembic(each) if isinstance(each, Doubt) else each for each in reading.entries]
    modules = {
        file.revision: reading.modules[file.path] for file in files if file.path in reading.modules
    }
    try:
        if untested_alembic():
            return Graph(files, is_alembics=True), modules
        return (reading.graph if reading.certain else Graph(files)), modules
    except AskAlembic as error:
        from .diagnosis import no_history

        raise no_history(files, error) from None


def version_folders(script: ScriptDirectory) -> list[Path]:
    """Return the folders of revision files, as absolute paths; not all of them need exist.

    Raises SettingsError when one is named by a package that can't be imported.
    """
    locations = [folder_of("version_locations", str(each)) for each in script.version_locations]
    return [folder.absolute() for folder in locations or [Path(script.dir) / "versions"]]


def revision_files(script: ScriptDirectory) -> Iterator[Path]:
    """Yield the files in which `script` looks for revisions."""
    for folder in version_folders(script):
        found = folder.rglob("*.py") if script.recursive_version_locations else folder.glob("*.py")
        yield from sorted(path for path in found if not path.name.startswith((".#", "__init__")))


def _by_alembic(doubt: Doubt) -> RevisionFile:
    """Return what Alembic makes of a file that has run, whose variables are unusual."""
    from .diagnosis import not_a_revision, not_loaded

    if doubt.module is None:
        raise not_loaded(doubt.path, doubt.error) from doubt.error
    id_: Any = getattr(doubt.module, "revision", id_in_file_name(doubt.path))
    try:
        script = Script(doubt.module, id_, doubt.path)
        down, needs = _names(script.down_revision), _names(script.dependencies)
        labels = _names(getattr(doubt.module, "branch_labels", None))
        if not all(isinstance(name, str) for name in (script.revision, *down, *needs, *labels)):
            raise TypeError("a revision's name is a string")
        return RevisionFile(doubt.path, script.revision, down, needs, labels, script.longdoc)
    except Exception as error:
        raise not_a_revision(doubt.path, doubt.module, error) from error


def _names(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))

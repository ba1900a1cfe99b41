"""Alembic's ScriptDirectory with revisions that are read as text, and run when they are needed."""

from pathlib import Path
from types import ModuleType

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionMap
from alembic.util import coerce_resource_to_filename, load_python_file

from .revision_files import RevisionFile, read_revision_files


def version_folders(script: ScriptDirectory) -> list[Path]:
    """Return the folders of revision files, as absolute paths; not all of them need exist."""
    locations = [coerce_resource_to_filename(str(path)) for path in script.version_locations]
    return [folder.absolute() for folder in locations or [Path(script.dir) / "versions"]]


def read_as_text(script: ScriptDirectory) -> None:
    """Let `script` run a revision file only when its `upgrade` or `downgrade` is called for.

    Where a file's text leaves any doubt of what it says or of whether it runs, `script` stays as
    it is, and runs all files.
    """
    reading = read_revision_files(
        [folder for folder in version_folders(script) if folder.exists()],
        sourceless=script.sourceless,
        recursive=script.recursive_version_locations,
    )
    if reading.certain and not reading.twice:
        script.revision_map = RevisionMap(lambda: map(LazyScript, reading.files))


class LazyScript(Script):
    """A revision file that has been read, and not been run."""

    def __init__(self, file: RevisionFile) -> None:
        self._file = file
        self._module: ModuleType | None = None
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
        """The file as a module: it runs now, at the first look."""
        if self._module is None:
            path = Path(self.path)
            self._module = load_python_file(path.parent, path.name)
        return self._module

    @property
    def longdoc(self) -> str:
        """The docstring, as read."""
        return self._file.doc

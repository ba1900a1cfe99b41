"""Revision files for Alembic, each of which runs when its `upgrade` or `downgrade` is needed."""

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision
from alembic.util import coerce_resource_to_filename, load_python_file

from ..base.ask_alembic import AskAlembic
from ..revisions.facts import Doubt, RevisionFile, facts
from ..revisions.files import Reading, read_revision_files
from ..revisions.graph import Graph
from ..revisions.tested import untested_alembic


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
        """The file as a module."""
        if self._module is None:
            self._module = _run(self.path)
        return self._module

    @property
    def longdoc(self) -> str:
        """The docstring, as read."""
        return self._doc


def read_graph(
    script: ScriptDirectory, known: Reading | None = None
) -> tuple[Graph, dict[str, ModuleType]]:
    """Return the revisions of `script`, read as text or `known`, and the modules of those that ran.

    A file whose text leaves doubt of what it says, or of whether it runs, runs now.

    Raises whatever such a file raises, or AskAlembic when it is no revision as others are.
    """
    reading = read_revision_files(
        [folder for folder in version_folders(script) if folder.exists()],
        sourceless=script.sourceless,
        recursive=script.recursive_version_locations,
        known=known,
    )
    if reading.twice:
        raise AskAlembic("Alembic warns of files that it finds twice")
    if reading.certain:
        return reading.graph, {}
    files, modules = [], {}
    for entry in reading.entries:
        if isinstance(entry, RevisionFile) and entry.inert:
            files.append(entry)
        else:
            module = _run(entry.path)
            file = _facts(entry.path, module)
            files.append(file)
            modules[file.revision] = module
    return Graph(files), modules


def run_graph(script: ScriptDirectory) -> tuple[Graph, dict[str, ModuleType]]:
    """Return the revisions of `script` as Alembic finds them, which runs all files.

    Raises whatever Alembic or a file raises.
    """
    found = list(script.walk_revisions())
    files = [
        RevisionFile(
            each.path,
            each.revision,
            _names(each.down_revision),
            _names(each.dependencies),
            _names(getattr(each.module, "branch_labels", None)),
            each.longdoc,
        )
        for each in found
    ]
    graph = Graph(files, is_alembics=untested_alembic() is not None)
    return graph, {each.revision: each.module for each in found}


def version_folders(script: ScriptDirectory) -> list[Path]:
    """Return the folders of revision files, as absolute paths; not all of them need exist."""
    locations = [coerce_resource_to_filename(str(path)) for path in script.version_locations]
    return [folder.absolute() for folder in locations or [Path(script.dir) / "versions"]]


def _facts(path: str, module: ModuleType) -> RevisionFile:
    try:
        revision, down_revision = module.revision, module.down_revision
    except AttributeError as error:
        raise AskAlembic(f"{path} has no revision") from error
    depends_on = getattr(module, "depends_on", None)
    branch_labels = getattr(module, "branch_labels", None)
    file = facts(path, revision, down_revision, depends_on, branch_labels, module.__doc__ or "")
    if isinstance(file, Doubt):
        raise AskAlembic(file.reason)
    return file


def _run(path: str) -> ModuleType:
    folder, _, name = path.rpartition("/")
    return load_python_file(folder, name)


def _names(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))

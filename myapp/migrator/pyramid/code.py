"""The revisions of the code that runs, read once, or again when their files have changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..bridge.lazy_scripts import version_folders
from ..commands.status import Code
from ..settings.settings import Settings


class KeptCode:
    """The revisions of one application; with `is_watching`, they are always those of the files.

    One thread at a time uses it.
    """

    def __init__(self, settings: Callable[[], Settings], *, is_watching: bool) -> None:
        self._settings = settings
        self._is_watching = is_watching
        self._files: frozenset[tuple[str, int]] = frozenset()
        #: The revisions, None while they can't be read.
        self.known: Code | None = None

    def read(self) -> Code:
        """Return the revisions. Raises what `Code` raises."""
        if self.known is not None and not self.has_changed():
            return self.known
        self.known = None
        code = Code(self._settings())
        self._files = _files_of(code) if self._is_watching else frozenset()
        self.known = code
        return code

    def has_changed(self) -> bool:
        """Tell whether the files have to be read again, or for the first time."""
        known = self.known
        if known is None or not self._is_watching:
            return known is None
        try:
            return _files_of(known) != self._files
        except OSError:
            return True


def _files_of(code: Code) -> frozenset[tuple[str, int]]:
    """Return the revision files, with the time at which each was written. Raises OSError."""
    script = code.history.script
    found: set[tuple[str, int]] = set()
    for folder in version_folders(script):
        found |= _in_folder(folder, is_recursive=script.recursive_version_locations)
    return frozenset(found)


def _in_folder(folder: Path, *, is_recursive: bool) -> set[tuple[str, int]]:
    found = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_recursive and entry.is_dir():
                found |= _in_folder(Path(entry.path), is_recursive=True)
            elif entry.name.endswith((".py", ".pyc")):
                found.add((entry.path, entry.stat().st_mtime_ns))
    return found

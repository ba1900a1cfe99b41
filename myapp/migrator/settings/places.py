"""Where the relative paths of an .ini file are.

An application is mostly started from its own folder, and Alembic takes a path from there. The .ini
file may stand in a folder below it, such as `config/`.
"""

import os
from contextlib import suppress
from pathlib import Path


class Places:
    """Makes paths absolute: they start in the .ini file's folder, or else in the working folder."""

    def __init__(self, here: Path) -> None:
        """Begin with `here`, the folder of the .ini file."""
        self._bases = [str(here)]
        with suppress(OSError):  # the working folder has been deleted
            if os.getcwd() != str(here):
                self._bases.append(os.getcwd())
        #: For a path that was made absolute, all that it could have become.
        self.tried: dict[str, list[str]] = {}

    def base(self, location: str) -> str:
        """Return where `location` is; where that begins, other paths are looked for first."""
        found = self.absolute(location)
        tried = self.tried.get(found, [found])
        if tried.index(found):
            self._bases.reverse()
        return found

    def absolute(self, location: str) -> str:
        """Return where `location` is; `package:folder` stays as it is."""
        if os.path.isabs(location):
            return os.path.normpath(location)
        if ":" in location:
            return location
        tried = [os.path.normpath(os.path.join(base, location)) for base in self._bases]
        found = next(filter(os.path.exists, tried), tried[0])
        self.tried[found] = tried
        return found

"""Writing revision files: whole or not at all, and never over another."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import alembic.util
from alembic.script import ScriptDirectory

from ..base.errors import SettingsError, UsageError
from .lazy_scripts import version_folders


class NewFiles:
    """The revision files that have been written within `new_files`."""

    def __init__(self, script: ScriptDirectory) -> None:
        self._script = script
        self._folders = version_folders(script)
        self.paths: list[Path] = []

    def write(self, template: Any, dest: Any, output_encoding: str, **arguments: Any) -> None:
        """Fill `template` with `arguments`, and make the file `dest`; as `template_to_file`.

        Raises UsageError when there is one already, or what is written is no Python, and
        SettingsError when no command would look for it.
        """
        path = Path(dest).absolute()
        if path.parent not in self._folders and not self._script.recursive_version_locations:
            self._prune(path.parent)
            raise SettingsError(
                f"No revision was written: `alembic.file_template` puts it into {path.parent},"
                " where no command looks for revisions.",
                hint="set `alembic.recursive_version_locations = true`.",
            )
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder, "draft")
            _template_to_file(template, draft, output_encoding, **arguments)
            content = draft.read_bytes()
        _require_python(content, path)
        try:
            publish(path, content)
        except FileExistsError:
            raise UsageError(
                f"No revision was written: there is a file {path} already, and"
                " `alembic.file_template` gives the new one the same name.",
                hint="choose another message, or move that file away."
                if "%(rev)s" in self._script.file_template
                else "choose another message, or add `%%(rev)s` to `alembic.file_template`.",
            ) from None
        self.paths.append(path)

    def remove(self) -> None:
        """Remove all that was written."""
        for path in self.paths:
            path.unlink(missing_ok=True)
            self._prune(path.parent)
        self.paths.clear()

    def _prune(self, folder: Path) -> None:
        """Remove `folder`, and those above it within the folder of revisions, if they are empty."""
        while any(each in folder.parents for each in self._folders):
            with suppress(OSError):
                folder.rmdir()
            folder = folder.parent


_template_to_file = alembic.util.template_to_file


@contextmanager
def new_files(script: ScriptDirectory) -> Iterator[NewFiles]:
    """Let `script` write only new files within, through the function that Alembic calls for it.

    Alembic itself writes over a file of the same name.
    """
    written = NewFiles(script)
    before = alembic.util.template_to_file
    vars(alembic.util)["template_to_file"] = written.write
    try:
        yield written
    finally:
        vars(alembic.util)["template_to_file"] = before


def _require_python(content: bytes, path: Path) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(content, path, "exec", dont_inherit=True)
    # A null byte is a ValueError to older Pythons.
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", None) or str(error)
        raise UsageError(
            f"No revision was written: the file would not be valid Python, {reason}.",
            hint="leave quotes and backslashes out of the message, or fix script.py.mako.",
        ) from None


def publish(path: Path, content: bytes) -> None:
    """Make the file `path`, which has all its content as soon as it is there.

    Raises FileExistsError when there is one.
    """
    draft = path.with_name(f".{token_hex(8)}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(content)
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with path.open("xb") as file:
                file.write(content)
    except OSError as error:
        error.filename = str(path)  # nobody knows the draft
        raise
    finally:
        draft.unlink(missing_ok=True)

"""The command that opens revision files: edit."""

import os
import shlex
import subprocess

from alembic.util import open_in_editor
from alembic.util.exc import CommandError

from ..base.errors import UsageError
from ..base.results import Revision
from ..bridge.context import RunContext
from .alembic_source import AlembicSource
from .reports import show


def edit(context: RunContext, target: str) -> tuple[Revision, ...]:
    """Open the files of the revisions `target` in $EDITOR; `current` asks the database.

    Raises BadRevision when it names none, UsageError when the editor can't be run.
    """
    found = show(AlembicSource(context), target, command="edit")
    for each in found:
        if reason := _open_editor(each):
            raise UsageError(
                f"{each.path} can't be edited: {reason}.", hint="set EDITOR to the editor's name."
            )
    return found


def _open_editor(revision: Revision) -> str | None:
    """Return why the editor failed, None if it didn't."""
    # Alembic finds an editor if none is named. But it takes $EDITOR for the name of a file, so
    # for `EDITOR="code --wait"` it would open another editor.
    editor = shlex.split(os.environ.get("EDITOR") or os.environ.get("VISUAL") or "")
    try:
        if not editor:
            open_in_editor(revision.path)
            return None
        status = subprocess.run([*editor, revision.path], check=False).returncode  # noqa: S603 - the user's own
    except CommandError as error:
        return str(error)
    except OSError as error:
        return f"`{editor[0]}` can't be run: {error.strerror}"
    return f"`{editor[0]}` ended with exit status {status}" if status else None

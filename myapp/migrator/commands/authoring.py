"""Commands that write or open revision files: revision, merge, edit."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from alembic.autogenerate import RevisionContext
from alembic.util import open_in_editor
from alembic.util import rev_id as new_rev_id
from alembic.util.exc import CommandError

from ..base.errors import BadRevision, SettingsError, UsageError
from ..base.results import NewRevisions, Revision
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env
from ..bridge.lazy_scripts import revision_files
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.post_write_hooks import failing_hooks_told
from ..bridge.slips import require_typed_out
from ..bridge.targets import find, resolve
from ..database.failures import described
from ..revisions.graph import RESERVED
from .alembic_source import AlembicSource
from .comparison import describe_operations, require_at_heads, run_comparison
from .offline import captured_sql
from .reports import show

T = TypeVar("T")


def revision(
    context: RunContext,
    message: str | None = None,
    *,
    autogenerate: bool = False,
    sql: bool = False,
    head: str = "head",
    splice: bool = False,
    branch_label: str | None = None,
    version_path: str | None = None,
    rev_id: str | None = None,
    depends_on: Sequence[str] = (),
) -> NewRevisions:
    """Write a new revision file. With `autogenerate`, write none if there is no difference.

    Raises PendingMigrations when the database to compare with is behind the code, MultipleHeads,
    BadRevision, UsageError, or SettingsError when a post-write hook fails.
    """
    folder = os.path.abspath(version_path) if version_path else ""
    history = load_history(context, writes=folder)
    if autogenerate and sql:
        raise UsageError(
            "`--autogenerate` compares with a database, and `--sql` uses none.", hint="drop one."
        )
    arguments = {
        "message": message,
        "autogenerate": autogenerate,
        "sql": sql,
        "head": head,
        "splice": splice,
        "branch_label": branch_label,
        "version_path": folder or None,
        "rev_id": rev_id,
        "depends_on": list(depends_on) or None,
    }
    with shared_engine(context), captured_sql(context) as written:
        if autogenerate:
            history, _ = require_at_heads(context, history)
        generated = RevisionContext(context.config, history.script, arguments)
        if autogenerate or _uses_environment(context):
            run_comparison(context, history, generated)
            history = settled(context, history)
            generated.script_directory = history.script
        elif sql:
            raise UsageError(
                "`revision --sql` has nothing to write: no env.py runs for an empty revision.",
                hint="set `alembic.revision_environment = true`, or leave `--sql` out.",
            )
    _check_new(history, rev_id, branch_label)
    for name in (head, *depends_on):
        require_typed_out(history, name, "revision")
        find(history, name, "revision")
    found = tuple(line for s in generated.generated_revisions for line in describe_operations(s))
    if autogenerate and not found:
        return NewRevisions((), ())
    _write(history, "revision", lambda: list(generated.generate_scripts()))
    return NewRevisions(_added(context, history), found, written.getvalue())


def merge(
    context: RunContext,
    revisions: Sequence[str],
    message: str | None = None,
    *,
    branch_label: str | None = None,
    rev_id: str | None = None,
    splice: bool = False,
) -> NewRevisions:
    """Write a revision that joins `revisions`.

    Raises UsageError when they are fewer than two, and what `revision` raises.
    """
    history = load_history(context)
    _check_new(history, rev_id, branch_label)
    for name in revisions:
        require_typed_out(history, name, "merge")
    joined = {found.revision for name in revisions for found in find(history, name, "merge")}
    if len(joined) < 2:
        what = f"only {history.titles(joined)}" if joined else "none"
        raise UsageError(
            f"`merge` joins two revisions or more; {' '.join(revisions)} names {what}.",
            hint="`{cmd} heads` lists the heads.",
        )
    arguments: dict[str, Any] = {"config": context.config}  # which a script.py.mako may ask
    if _uses_environment(context):
        with told_as_errors():
            run_env(
                context, history.script, lambda rev, migration_context: [], template_args=arguments
            )
    _write(
        history,
        "merge",
        lambda: history.script.generate_revision(
            rev_id or new_rev_id(),
            message,
            head=list(revisions),
            splice=splice,
            branch_labels=branch_label,
            refresh=True,
            **arguments,
        ),
    )
    return NewRevisions(_added(context, history), ())


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


def _uses_environment(context: RunContext) -> bool:
    return context.config.get_alembic_boolean_option("revision_environment")


def _added(context: RunContext, history: ScriptHistory) -> tuple[Revision, ...]:
    """Return the revisions that were written since `history` was loaded."""
    now = settled(context, load_history(context))
    return tuple(now.get(name) for name in now.ids if name not in history.graph.files)


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


def _check_new(history: ScriptHistory, rev_id: str | None, branch_label: str | None) -> None:
    if rev_id in RESERVED:
        raise UsageError(
            f"`{rev_id}` has a meaning of its own, so it can't be a revision's id.",
            hint="leave out `--rev-id` to have one made.",
        )
    if rev_id and (odd := re.search(r"[^\w.]", rev_id)):
        raise UsageError(
            f"A revision's id can't have {odd[0]!r} in it, as `{rev_id}` has.",
            hint="use letters, digits and `_`, or leave out `--rev-id` to have one made.",
        )
    if rev_id in history.graph.files:
        raise UsageError(
            f"There is a revision {rev_id} already: {history.get(str(rev_id)).path}.",
            hint="leave out `--rev-id` to have one made.",
        )
    if owner := history.graph.labelled.get(branch_label or ""):
        raise UsageError(
            f"The branch label `{branch_label}` is used by {owner}.",
            hint="choose another label.",
        )


def _write(history: ScriptHistory, name: str, write: Callable[[], T]) -> T:
    before = set(revision_files(history.script))
    try:
        with failing_hooks_told():
            return resolve(history, "", name, write)
    except SyntaxError as error:
        # Quotes or a backslash in the message can break the docstring. A file that can't be loaded
        # would stop every command, so it is removed.
        for path in set(revision_files(history.script)) - before:
            os.remove(path)
        raise UsageError(
            f"No revision was written: the file would not be valid Python, {error.msg}.",
            hint="leave quotes and backslashes out of the message, or fix script.py.mako.",
        ) from None
    except OSError as error:
        raise UsageError(
            f"No revision was written: {error.filename}: {error.strerror}.",
            hint="the folder must be writable, and script.py.mako stand beside env.py.",
        ) from error
    except (LookupError, TypeError, ValueError) as error:
        raise SettingsError(
            f"No revision was written: {described(error)}.",
            hint="fix `alembic.file_template` (it may have rev, slug, year, month, day, hour,"
            " minute, second and epoch) or `alembic.output_encoding`.",
        ) from error
    except BadRevision as error:
        reason = str(error.__context__ or error.message).rstrip(".")
        written = [str(path) for path in set(revision_files(history.script)) - before]
        raise UsageError(
            f"{written[0]} was written, and then: {reason}."
            if written
            else f"No revision was written: {reason}.",
            hint=f"`{{cmd}} {name} --help` shows the options.",
        ) from None

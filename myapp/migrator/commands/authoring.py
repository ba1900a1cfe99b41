"""Commands that write revision files: revision, merge."""

import os
from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import RevisionContext
from alembic.operations.ops import MigrationScript
from alembic.util import rev_id as new_rev_id

from ..base.author import Author
from ..base.errors import UsageError
from ..base.results import NewRevisions
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.new_revisions import require_heads, write_revisions
from ..bridge.operations import leaves, message_of, require_renderers
from ..bridge.slips import require_typed_out
from ..bridge.targets import find
from ..bridge.version_table import without_creating
from ..database.listening import listening
from ..revisions.new_names import check_id, check_label, check_message
from .comparison import require_at_heads, run_comparison
from .findings import Findings
from .offline import captured_sql


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
    renames: Sequence[str] = (),
    author: Author | None = None,
) -> NewRevisions:
    """Write a new revision file. With `autogenerate`, write none if there is no difference.

    `renames` are columns, as `table.old:new`. `author` is asked for what is not given.

    Raises PendingMigrations when the database to compare with is behind the code, MultipleHeads,
    BadRevision, UsageError, or SettingsError when a post-write hook fails.
    """
    author = author or Author()
    folder = _folder(version_path)
    history = load_history(context, writes=folder)
    _check_options(autogenerate=autogenerate, sql=sql, renames=renames)
    _check_names(history, rev_id, branch_label, message)
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
    for name in (head, *depends_on):
        require_typed_out(history, name, "revision")
    with shared_engine(context), captured_sql(context) as written:
        if autogenerate:
            history, _ = require_at_heads(context, history)
        generated = RevisionContext(context.config, history.script, arguments)
        findings = Findings(generated)
        if autogenerate or _uses_environment(context):
            run_comparison(context, history, generated, findings.look)
            history = settled(context, history)
            generated.script_directory = history.script
        elif sql:
            raise UsageError(
                "`revision --sql` has nothing to write: no env.py runs for an empty revision.",
                hint="set `alembic.revision_environment = true`, or leave `--sql` out.",
            )
    scripts = generated.generated_revisions
    _check_scripts(history, scripts, rev_id)
    if autogenerate and findings.is_empty:
        findings.rename(renames, Author())
        return NewRevisions((), ())
    findings.rename(renames, author)
    for each in scripts:
        require_renderers(leaves([*each.upgrade_ops_list, *each.downgrade_ops_list]))
        if each.message is None:
            each.message = author.message(message_of(leaves(each.upgrade_ops_list)))
            if each.message:
                check_message(each.message)
    new = write_revisions(context, history, "revision", lambda: list(generated.generate_scripts()))
    return findings.told(new, written.getvalue())


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
    if not revisions:
        raise UsageError(
            "`merge` needs the revisions that it joins.",
            hint='`{cmd} merge heads -m "join"` joins all heads.',
        )
    history = load_history(context, writes="")
    _check_names(history, rev_id, branch_label, message)
    for name in revisions:
        require_typed_out(history, name, "merge")
    joined = {found.revision for name in revisions for found in find(history, name, "merge")}
    if len(joined) < 2:
        what = f"only {history.titles(joined)}" if joined else "none"
        raise UsageError(
            f"`merge` joins two revisions or more; {' '.join(revisions)} names {what}.",
            hint="`{cmd} heads` lists the heads.",
        )
    require_heads(history, joined, splice=splice)
    arguments: dict[str, Any] = {"config": context.config}  # which a script.py.mako may ask
    if _uses_environment(context):
        with told_as_errors(), listening(do_connect=without_creating):
            run_env(
                context, history.script, lambda rev, migration_context: [], template_args=arguments
            )
    new = write_revisions(
        context,
        history,
        "merge",
        lambda: [
            history.script.generate_revision(
                rev_id or new_rev_id(),
                message,
                head=list(revisions),
                splice=splice,
                branch_labels=branch_label,
                refresh=True,
                **arguments,
            )
        ],
    )
    return NewRevisions(new, ())


def _uses_environment(context: RunContext) -> bool:
    return context.config.get_alembic_boolean_option("revision_environment")


def _folder(version_path: str | None) -> str:
    if version_path is not None and not version_path:
        raise UsageError(
            "The folder of `--version-path` is empty.",
            hint="is a variable of the shell unset? Name a folder.",
        )
    return os.path.abspath(version_path) if version_path else ""


def _check_options(*, autogenerate: bool, sql: bool, renames: Sequence[str]) -> None:
    if autogenerate and sql:
        raise UsageError(
            "`--autogenerate` compares with a database, and `--sql` uses none.", hint="drop one."
        )
    if renames and not autogenerate:
        raise UsageError(
            "`--rename` is about what `--autogenerate` finds.", hint="add `--autogenerate`."
        )


def _check_names(
    history: ScriptHistory, rev_id: str | None, branch_label: str | None, message: str | None
) -> None:
    """Raise UsageError where what was typed can't be used."""
    if rev_id is not None:
        check_id(history.graph, rev_id)
    if branch_label is not None:
        check_label(history.graph, branch_label, rev_id)
    if message is not None:
        check_message(message)


def _check_scripts(
    history: ScriptHistory, scripts: Sequence[MigrationScript], typed_id: str | None
) -> None:
    """Raise an error where a revision can't be written as `env.py` has left it."""
    new: list[str] = []

    def known(names: Any) -> list[str]:
        """Return those of `names` that are not about another one of `scripts`."""
        return [name for name in _names(names) if name.partition("@")[0] not in new]

    for each in scripts:
        rev_id, labels = each.rev_id or "", _names(each.branch_label)
        check_id(history.graph, rev_id, typed=rev_id == typed_id)
        for label in labels:
            check_label(history.graph, label, rev_id)
        if twice := next((name for name in (rev_id, *labels) if name in new), None):
            raise UsageError(
                f"Two of the new revisions have the name `{twice}`.",
                hint="have `process_revision_directives`, in env.py, set another one.",
            )
        follows = known(each.head or "head")
        found = {one.revision for name in follows for one in find(history, name, "revision")}
        require_heads(history, found, splice=bool(each.splice))
        for name in known(each.depends_on):
            if not find(history, name, "revision"):
                raise UsageError(
                    f"A revision can't depend on `{name}`, which is no revision.",
                    hint="leave out `--depends-on`.",
                )
        new += [rev_id, *labels]


def _names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())

"""Compare the models with the database, for `check` and `revision --autogenerate`."""

from collections.abc import Iterator, Sequence
from typing import Any

from alembic.autogenerate import RevisionContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Column, Constraint, DefaultClause, Index, Table

from ..base.errors import DatabaseUnreachable, SchemaDrift, SettingsError
from ..base.results import Agreement, Status, name_of
from ..bridge.bounds import looking
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env
from ..bridge.loading import ScriptHistory, load_history, require_loadable, settled
from ..bridge.version_table import read_each
from ..revisions import answers

#: How many seconds the database has for one question. It may have many thousand tables.
_SILENCE = 300.0


def check(context: RunContext) -> Agreement:
    """Load all revision files, and compare the models with the database, creating nothing.

    Raises HistoryError with the files that can't be loaded, SchemaDrift with the differences,
    PendingMigrations when a database is behind the code, MultipleHeads, EnvPyFailed when there is
    none, and SettingsError when there are no models to compare with.
    """
    history = load_history(context)
    require_loadable(history)
    with shared_engine(context):
        settled_history, found = require_at_heads(context, history)
        if settled_history is not history:
            history = settled_history
            require_loadable(history)
        answers.require_joined_heads(history)
        if path := next(filter(None, (each.table.missing_file for each in found)), None):
            raise DatabaseUnreachable(
                f"The database file {path} does not exist, so there is nothing to compare with.",
                hint='write the first revision with `{cmd} revision --autogenerate -m "..."`.',
                retryable=False,
            )
        compared = compare(context, history)
    differences = [line for script in compared for line in _differences(script, found)]
    if differences:
        listed = "".join(f"\n  {line}" for line in differences)
        count = f"{len(differences)} difference{'s' if len(differences) > 1 else ''}"
        raise SchemaDrift(
            f"Models and database differ, {count}:{listed}",
            hint='write the missing revision with `{cmd} revision --autogenerate -m "..."`.',
            differences=differences,
        )
    return Agreement(databases=found)


def require_at_heads(
    context: RunContext, history: ScriptHistory
) -> tuple[ScriptHistory, tuple[Status, ...]]:
    """Return the history as `env.py` has it, and where each database stands.

    Raises PendingMigrations when a revision is not applied, since a comparison would then find
    what the pending revisions are about to change.
    """
    tables = read_each(context, history.script)
    history = settled(context, history)
    answers.require_any(tables, "compare the models with")
    return history, answers.current(history, tables, check_heads=True).databases


def compare(context: RunContext, history: ScriptHistory) -> list[MigrationScript]:
    """Run `env.py` to compare the models with the database, and return the operations found."""
    arguments = {
        "message": None,
        "autogenerate": True,
        "sql": False,
        "head": "head",
        "splice": False,
        "branch_label": None,
        "version_path": None,
        "rev_id": None,
        "depends_on": None,
    }
    generated = RevisionContext(context.config, history.script, arguments)
    run_comparison(context, history, generated)
    return generated.generated_revisions


def run_comparison(
    context: RunContext, history: ScriptHistory, revision_context: RevisionContext
) -> None:
    """Run `env.py` to fill `revision_context`; it compares if the arguments say `autogenerate`."""
    arguments = revision_context.command_args

    def fill(rev: Any, migration_context: MigrationContext) -> list[Any]:
        if arguments["autogenerate"]:
            revision_context.run_autogenerate(rev, migration_context)
        else:
            revision_context.run_no_autogenerate(rev, migration_context)
        return []

    with told_as_errors(), looking(context, silence=_SILENCE):
        try:
            run_env(
                context,
                history.script,
                fill,
                as_sql=arguments["sql"],
                dont_mutate=True,
                template_args=revision_context.template_args,
                revision_context=revision_context,
            )
        except CommandError as error:
            if "MetaData" not in str(error):
                raise
            raise SettingsError(
                "There are no models to compare the database with: env.py has no"
                " `target_metadata`.",
                hint="add `alembic.target_metadata = package.models:Base.metadata`, or set it in an"
                " env.py of your own.",
            ) from None


def _differences(script: MigrationScript, found: Sequence[Status]) -> Iterator[str]:
    """Yield what `describe_operations` returns, with the database where `env.py` opens several."""
    tables = [each.table for each in found]
    each_ops = script.upgrade_ops_list
    # An env.py may have changed the list, and then nobody knows whose each is.
    if len(tables) == 1 or len(tables) != len(each_ops):
        yield from describe_operations(script)
        return
    for table, ops in zip(tables, each_ops, strict=True):
        yield from (f"{name_of(table, tables)}: {line}" for line in _lines(ops.as_diffs()))


def describe_operations(script: MigrationScript) -> list[str]:
    """Return one line for each operation that would make the database match the models."""
    return [line for ops in script.upgrade_ops_list for line in _lines(ops.as_diffs())]


def _lines(diffs: Any) -> Iterator[str]:
    for diff in diffs:
        if isinstance(diff, list):
            yield from _lines(diff)
        else:
            yield _line(*diff)


def _line(operation: str, *what: Any) -> str:
    verb = operation.replace("_", " ")
    if operation.startswith("modify_"):
        _, table, column, _, existing, wanted = what
        return f"{verb} of {table}.{column}: {_value(existing)} -> {_value(wanted)}"
    thing = what[0] if isinstance(what[0], Table) else what[-1]
    if isinstance(thing, Table):
        return f"{verb} {thing.fullname}"
    if isinstance(thing, Column):
        return f"{verb} {what[1]}.{thing.name}"
    if isinstance(thing, Index | Constraint):
        table = getattr(thing, "table", None)
        columns = ", ".join(column.name for column in getattr(thing, "columns", ()))
        on = f" on {table.fullname}" if table is not None else ""
        return f"{verb} {thing.name or '(unnamed)'}{on}{f' ({columns})' if columns else ''}"
    return f"{verb} {', '.join(map(str, what))}"


def _value(value: object) -> str:
    """Return a column's attribute as text; for a server default, its SQL."""
    return f"'{value.arg}'" if isinstance(value, DefaultClause) else repr(value)

"""Compare the models with the database, for `check` and `revision --autogenerate`."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic.autogenerate import RevisionContext
from alembic.operations.ops import MigrationScript, OpContainer
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError

from ..base.errors import DatabaseUnreachable, SchemaDrift, SettingsError
from ..base.results import Agreement, Status, name_of
from ..bridge.bounds import looking
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import run_env
from ..bridge.literals import mend_literals
from ..bridge.loading import ScriptHistory, load_history, require_loadable, settled
from ..bridge.operations import described, leaves
from ..bridge.version_table import read_each, without_creating
from ..database.listening import listening
from ..revisions import answers

#: How many seconds the database has for one question. It may have many thousand tables.
_SILENCE = 300.0
_LARGE = ("enum", "table", "column")


class NoModels(SettingsError):
    """The settings and env.py name no models."""


def check(context: RunContext) -> Agreement:
    """Load all revision files, and compare the models with the database, creating nothing.

    Raises HistoryError with the files that can't be loaded, SchemaDrift with the differences,
    PendingMigrations when a database is behind the code, MultipleHeads, EnvPyFailed when there is
    none, and SettingsError when there are no models to compare with.
    """
    history = load_history(context)
    with shared_engine(context), without_caches():
        require_loadable(history)
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


@contextmanager
def without_caches() -> Iterator[None]:
    """Let Python write no bytecode beside the revisions and models that it imports within."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


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
    context: RunContext,
    history: ScriptHistory,
    revision_context: RevisionContext,
    then: Callable[[MigrationContext], None] = lambda _: None,
) -> None:
    """Run `env.py` to fill `revision_context`; it compares if the arguments say `autogenerate`.

    `then` is called after each comparison, while its database is open. An SQLite file that doesn't
    exist yet is not made.
    """
    arguments = revision_context.command_args

    def fill(rev: Any, migration_context: MigrationContext) -> list[Any]:
        mend_literals(migration_context)
        if arguments["autogenerate"]:
            revision_context.run_autogenerate(rev, migration_context)
            then(migration_context)
        else:
            revision_context.run_no_autogenerate(rev, migration_context)
        return []

    with (
        told_as_errors(),
        listening(do_connect=without_creating),
        looking(context, silence=_SILENCE),
    ):
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
            raise NoModels(
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
        yield from (f"{name_of(table, tables)}: {line}" for line in _lines(ops))


def describe_operations(script: MigrationScript) -> list[str]:
    """Return one line for each operation that would make the database match the models."""
    return [line for ops in script.upgrade_ops_list for line in _lines(ops)]


def _lines(container: OpContainer) -> list[str]:
    return in_order(line for each in leaves([container]) for line in described(each))


def in_order(lines: Iterable[str]) -> list[str]:
    """Return the lines in one order, the larger things first; Alembic takes some from sets."""

    def place(line: str) -> tuple[int, str]:
        kind = "".join(line.split()[1:2])
        return _LARGE.index(kind) if kind in _LARGE else len(_LARGE), line

    return sorted(lines, key=place)

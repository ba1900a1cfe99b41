"""Settings that an `env.py` of its own doesn't follow, as it has to hand them on to Alembic."""

from collections.abc import Iterator

from alembic.runtime.migration import MigrationContext

from ..base.results import VersionTable
from .context import RunContext


def tell_ignored(
    context: RunContext, migration_context: MigrationContext, table: VersionTable
) -> None:
    """Warn once of each setting that `env.py` doesn't follow. `table` is the one that it opened."""
    told = context.env_py.told
    for setting, found, argument in _ignored(context, migration_context, table):
        if setting not in told:
            told.add(setting)
            context.watcher.notice(
                f"env.py doesn't follow `{setting}`: {found}. Let it pass `{argument}` to"
                " `context.configure()`, or drop the setting."
            )


def _ignored(
    context: RunContext, migration_context: MigrationContext, table: VersionTable
) -> Iterator[tuple[str, str, str]]:
    """Yield a setting, what stands in its place, and the argument that follows it."""
    options = context.settings.alembic
    name, schema = options.get("version_table"), options.get("version_table_schema")
    if name and name != table.name:
        found = f"the version table is {table.name}"
        yield f"alembic.version_table = {name}", found, f"version_table={name!r}"
    if schema and schema != table.schema and migration_context.version_table_schema != schema:
        found = f"the version table is in {table.schema or 'no schema'}"
        setting = f"alembic.version_table_schema = {schema}"
        yield setting, found, f"version_table_schema={schema!r}"
    if "transaction" not in context.settings.options.given or not context.env_py.arguments:
        return
    wants_single = context.settings.options.single_transaction
    is_transactional = migration_context.impl.transactional_ddl
    is_single = is_transactional and not migration_context.opts.get("transaction_per_migration")
    if wants_single and not is_single:
        argument = (
            "transaction_per_migration=False" if is_transactional else "transactional_ddl=True"
        )
        found = "each revision has a transaction of its own"
        yield "migrate.transaction = single", found, argument
    elif is_single and not wants_single:
        found = "all revisions of a run share one transaction"
        yield "migrate.transaction = revision", found, "transaction_per_migration=True"

"""What `env.py` calls: open the connection, and let Alembic run the command."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alembic import context
from sqlalchemy import Engine, MetaData
from sqlalchemy.engine import Connection

from .bridge.configuration import context_of
from .bridge.connection import connect
from .bridge.context import RunContext
from .bridge.models import convention_missed, naming_convention, target_metadata
from .database.url import engine_url

if TYPE_CHECKING:
    from alembic.autogenerate import RevisionContext


def run_migrations(**options: Any) -> None:
    """Run the current command; `env.py` calls this.

    `options` go to `alembic.context.configure`, and win over those of the .ini file. They are for
    what an .ini file can't hold, such as `include_object` and `process_revision_directives`.

    Raises SettingsError when `alembic.target_metadata` or `alembic.naming_convention` is needed and
    can't be had.
    """
    run_context = context_of(context.config)
    settings = run_context.settings
    per_migration = not settings.options.single_transaction
    options = {
        "transaction_per_migration": per_migration,
        **settings.alembic.for_configure(),
        **options,
    }
    if context.is_offline_mode():
        url = engine_url(settings.url)
        defaults: dict[str, Any] = {
            "literal_binds": True,
            "dialect_opts": {"paramstyle": "named"},
            **_usual(url.get_backend_name()),
        }
        if url.get_backend_name() == "sqlite":
            defaults["transactional_ddl"] = True
        context.configure(**{"url": url, **defaults, **options})
        _run(run_context)
    else:
        with _connection(run_context) as (connection, is_ours):
            # DDL on SQLite is transactional only with the engine that `database` makes.
            if is_ours and connection.dialect.name == "sqlite":
                options.setdefault("transactional_ddl", True)
            options = {**_usual(connection.dialect.name), **options}
            context.configure(connection=connection, **options)
            _run(run_context)
            if is_ours:
                # The revisions are committed by now. A version table that was created alone isn't.
                connection.commit()


def _usual(dialect_name: str) -> dict[str, Any]:
    """Return what holds for a kind of database where neither the .ini file nor env.py says it."""
    is_sqlite = dialect_name == "sqlite"
    return {
        # SQLite can change a column only in a new table, which a batch makes.
        "render_as_batch": is_sqlite,
        "compare_server_default": is_sqlite or dialect_name == "postgresql",
    }


def _run(run_context: RunContext) -> None:
    opts = context.get_context().opts
    if opts["target_metadata"] is None:
        opts["target_metadata"] = _needed_metadata(run_context, opts)
    if _compares(opts.get("revision_context")):
        from .bridge.autogenerate import plugins  # which no other command needs

        opts.setdefault("autogenerate_plugins", plugins())
    with context.begin_transaction():
        context.run_migrations()


def _needed_metadata(
    run_context: RunContext, opts: Mapping[str, Any]
) -> MetaData | list[MetaData] | None:
    """Import what this command needs: the models to compare, or the names for constraints."""
    settings = run_context.settings
    if _compares(opts.get("revision_context")):
        found = target_metadata(settings)
        given = found if isinstance(found, list) else [found] if found is not None else []
        if sentence := convention_missed(settings, given):
            run_context.watcher.notice(sentence)
        return found
    # What only reads runs no revision, and neither does `stamp`, which alone may purge.
    runs_none = opts.get("dont_mutate") or "purge" in opts
    return None if runs_none else naming_convention(settings)


def _compares(revision_context: "RevisionContext | None") -> bool:
    return revision_context is not None and bool(revision_context.command_args["autogenerate"])


@contextmanager
def _connection(run_context: RunContext) -> Iterator[tuple[Connection, bool]]:
    """Use the connection or engine that the caller put into the Config, or open one."""
    given = run_context.config.attributes.get("connection")
    if isinstance(given, Engine):
        with given.connect() as connection:
            yield connection, False
    elif given is not None:
        yield given, False
    else:
        with connect(run_context) as connection:
            yield connection, True

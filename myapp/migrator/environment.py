"""What `env.py` calls: open the connection, and let Alembic run the command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from alembic import context
from sqlalchemy import Engine, MetaData
from sqlalchemy.engine import Connection

from .base.errors import SettingsError
from .bridge.configuration import context_of
from .bridge.connection import connect
from .bridge.context import RunContext
from .database.failures import described
from .database.url import engine_url
from .settings.settings import Settings

if TYPE_CHECKING:
    from alembic.autogenerate import RevisionContext


def run_migrations(**options: Any) -> None:
    """Run the current command; `env.py` calls this.

    `options` go to `alembic.context.configure`, and win over those of the .ini file. They are for
    what an .ini file can't hold, such as `include_object` and `process_revision_directives`.

    Raises SettingsError when `alembic.target_metadata` is needed and can't be had.
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
        defaults: dict[str, Any] = {"literal_binds": True, "dialect_opts": {"paramstyle": "named"}}
        if url.get_backend_name() == "sqlite":
            defaults["transactional_ddl"] = True
        context.configure(**{"url": url, **defaults, **options})
        _run(settings)
    else:
        with _connection(run_context) as (connection, is_ours):
            # DDL on SQLite is transactional only with the engine that `database` makes.
            if is_ours and connection.dialect.name == "sqlite":
                options.setdefault("transactional_ddl", True)
            context.configure(connection=connection, **options)
            _run(settings)
            if is_ours:
                # The revisions are committed by now. A version table that was created alone isn't.
                connection.commit()


def _run(settings: Settings) -> None:
    opts = context.get_context().opts
    if opts["target_metadata"] is None and _compares(opts.get("revision_context")):
        opts["target_metadata"] = target_metadata(settings)
    with context.begin_transaction():
        context.run_migrations()


def _compares(revision_context: "RevisionContext | None") -> bool:
    return revision_context is not None and bool(revision_context.command_args["autogenerate"])


def target_metadata(settings: Settings) -> MetaData | list[MetaData] | None:
    """Import what `alembic.target_metadata` names: `package.module:Base.metadata`.

    Several names, separated by commas or white space, give a list. None when it is not set.

    Raises SettingsError when a name can't be resolved.
    """
    names = settings.alembic.get("target_metadata", "").replace(",", " ").split()
    found = [_resolve(name) for name in names]
    return found[0] if len(found) == 1 else found or None


def _resolve(name: str) -> MetaData:
    hint = "write it as `package.module:Base.metadata`."
    try:
        found = resolve_name(name)
    except ModuleNotFoundError as error:
        is_named = f"{name.replace(':', '.')}.".startswith(f"{error.name}.")
        raise SettingsError(
            f"`alembic.target_metadata` is `{name}`, which can't be imported: {error}.",
            hint=f"{'is it spelt right, and its' if is_named else 'is that'} package installed"
            " (`pip install -e .` for the application itself)? A folder beside the .ini file needs"
            " `alembic.prepend_sys_path = %(here)s`.",
        ) from error
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"`alembic.target_metadata` is `{name}`, which can't be imported: {error}.", hint=hint
        ) from error
    except Exception as error:
        raise SettingsError(
            f"`alembic.target_metadata` is `{name}`, which can't be imported: {described(error)}.",
            hint="fix that module; `--traceback` before CONFIG_URI shows the line.",
        ) from error
    if not isinstance(found, MetaData):
        raise SettingsError(
            f"`alembic.target_metadata` is `{name}`, which is not a MetaData of SQLAlchemy.",
            hint=hint,
        )
    return found


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

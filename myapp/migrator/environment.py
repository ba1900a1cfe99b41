"""What `env.py` calls: open the connection and let Alembic run the command that was asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from alembic import context
from alembic.config import Config
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from .config import settings_of
from .database import connect
from .errors import SettingsError
from .settings import BOOLEANS, Settings
from .url import engine_url

_FOR_CONFIGURE = (BOOLEANS | {"version_table", "version_table_schema"}) - {
    "recursive_version_locations",
    "revision_environment",
    "sourceless",
}


def run_migrations(**options: Any) -> None:
    """Run the current command, from within `env.py`.

    `options` go to `alembic.context.configure` and win over the .ini file's: `include_object`,
    `process_revision_directives` and whatever else can't stand in an .ini file.

    Raises SettingsError when `alembic.target_metadata` is needed and can't be had.
    """
    config = context.config
    settings = settings_of(config)
    options = (
        _configured(settings)
        | {"transaction_per_migration": not settings.options.single_transaction}
        | options
    )
    if context.is_offline_mode():
        url = engine_url(settings.url)
        if url.get_backend_name() == "sqlite":
            options.setdefault("transactional_ddl", True)
        context.configure(
            url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **options
        )
        _run(settings)
    else:
        with _connection(config) as (connection, is_ours):
            # SQLite is transactional through the engine that `database` makes, and only there.
            if is_ours and connection.dialect.name == "sqlite":
                options.setdefault("transactional_ddl", True)
            context.configure(connection=connection, **options)
            _run(settings)


def _run(settings: Settings) -> None:
    opts = context.get_context().opts
    compares_models = "revision_context" in opts
    if compares_models and opts["target_metadata"] is None:
        opts["target_metadata"] = target_metadata(settings)
    with context.begin_transaction():
        context.run_migrations()


def target_metadata(settings: Settings) -> object:
    """Import what `alembic.target_metadata` names: `package.module:Base.metadata`.

    Several names, separated by commas or white space, give a list. None when it is not set.

    Raises SettingsError when a name can't be resolved.
    """
    names = settings.alembic.get("target_metadata", "").replace(",", " ").split()
    found = [_resolve(name) for name in names]
    return found[0] if len(found) == 1 else found or None


def _resolve(name: str) -> object:
    module, _, attributes = name.partition(":")
    if not attributes:
        module, _, attributes = name.rpartition(".")
    try:
        found: Any = import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"`alembic.target_metadata` is `{name}`, which can't be imported: {error}.",
            hint="write it as `package.module:Base.metadata`.",
        ) from error
    return found


def _configured(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name in _FOR_CONFIGURE & settings.alembic.keys():
        value = settings.alembic[name]
        options[name] = value == "true" if name in BOOLEANS else value
    return options


@contextmanager
def _connection(config: Config) -> Iterator[tuple[Connection, bool]]:
    """Use the connection or engine that the caller put into the Config, or open one."""
    given = config.attributes.get("connection")
    if isinstance(given, Engine):
        with given.connect() as connection:
            yield connection, False
    elif given is not None:
        yield given, False
    else:
        with connect(config) as connection:
            yield connection, True

"""Texts of an env.py that opens several databases, or several schemas of one database."""

from collections.abc import Sequence
from pathlib import Path

from support.history import MakeApp, Revision

_DATABASES = """\
from alembic import context
from sqlalchemy import create_engine

for url in {urls!r}:
    with create_engine(url).connect() as connection:
        context.configure(connection=connection, transaction_per_migration={each})
        with context.begin_transaction():
            context.run_migrations()
"""

#: As the template multidb has it: all databases are committed at the end.
_TOGETHER = """\
from alembic import context
from sqlalchemy import create_engine

connections = [create_engine(url).connect() for url in {urls!r}]
transactions = [connection.begin() for connection in connections]
try:
    for connection in connections:
        context.configure(connection=connection)
        context.run_migrations()
    for transaction in transactions:
        transaction.commit()
except:
    for transaction in transactions:
        transaction.rollback()
    raise
finally:
    for connection in connections:
        connection.close()
"""

#: The recipe of Alembic's cookbook, https://alembic.sqlalchemy.org/en/latest/cookbook.html.
_SCHEMAS = """\
from alembic import context
from sqlalchemy import create_engine, text

with create_engine({url!r}).connect() as connection:
    for tenant in {tenants}:
        connection.execute(text(f'SET search_path TO "{{tenant}}"'))
        connection.commit()
        connection.dialect.default_schema_name = tenant
        context.configure(connection=connection, transaction_per_migration={each})
        with context.begin_transaction():
            context.run_migrations()
"""

_TABLES_OF_TENANTS = """\
from alembic import context
from sqlalchemy import create_engine

with create_engine({url!r}).connect() as connection:
    for tenant in {tenants!r}:
        context.configure(
            connection=connection, transaction_per_migration=True, version_table_schema=tenant
        )
        with context.begin_transaction():
            context.run_migrations()
"""


def databases_env(urls: Sequence[str], *, transaction_per_migration: bool = True) -> str:
    """Return an env.py that opens one database after the other."""
    return _DATABASES.format(urls=[*map(with_driver, urls)], each=transaction_per_migration)


def together_env(urls: Sequence[str]) -> str:
    """Return an env.py that commits all databases at the end, as the template multidb does."""
    return _TOGETHER.format(urls=[*map(with_driver, urls)])


def schemas_env(
    url: str, tenants: Sequence[str] | str, *, transaction_per_migration: bool = True
) -> str:
    """Return an env.py that sets the search path to one schema after the other.

    `tenants` are their names, or an expression of Python for them.
    """
    shown = tenants if isinstance(tenants, str) else repr(list(tenants))
    return _SCHEMAS.format(url=with_driver(url), tenants=shown, each=transaction_per_migration)


def version_tables_env(url: str, tenants: Sequence[str]) -> str:
    """Return an env.py with a version table in one schema after the other."""
    return _TABLES_OF_TENANTS.format(url=with_driver(url), tenants=list(tenants))


def with_driver(url: str) -> str:
    """Return `url` as SQLAlchemy needs it."""
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def app_of_several(make_app: MakeApp, env: str, revisions: Sequence[Revision]) -> Path:
    """Return the .ini file of an application whose `sqlalchemy.url` names none of its databases."""
    ini = make_app("sqlite:////nowhere/of-the-ini.sqlite", revisions)
    (ini.parent / "migrations" / "env.py").write_text(env)
    return ini

"""Literals in which Alembic errs: a `%` in SQL that it renders, a quote in a default."""

from collections.abc import Callable
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, literal_column, text


def mend_literals(migration_context: MigrationContext) -> None:
    """Let the context render `%` as it is, and compare defaults that have a quote in them."""
    _mend_percent(migration_context)
    _mend_quotes(migration_context)


def _mend_percent(migration_context: MigrationContext) -> None:
    impl = migration_context.impl
    # A driver whose parameters are written `%s` wants `%%`. That is for statements, and SQLAlchemy
    # doubles it once more when the revision runs.
    if str(text("%").compile(dialect=impl.dialect)) != "%%":
        return
    alembics = impl.render_ddl_sql_expr

    def render(*args: Any, **kw: Any) -> str:
        return alembics(*args, **kw).replace("%%", "%")

    vars(impl)["render_ddl_sql_expr"] = render


def _mend_quotes(migration_context: MigrationContext) -> None:
    impl = migration_context.impl
    alembics: Callable[..., bool] = impl.compare_server_default

    def compare(
        inspector_column: Column[Any], metadata_column: Column[Any], wanted: Any, existing: Any
    ) -> bool:
        default = getattr(metadata_column.server_default, "arg", None)
        if isinstance(default, str) and "'" in default[1:-1]:
            wanted = "'{}'".format(default.replace("'", "''"))
            metadata_column = Column(
                metadata_column.name, metadata_column.type, server_default=literal_column(wanted)
            )
        return alembics(inspector_column, metadata_column, wanted, existing)

    vars(impl)["compare_server_default"] = compare

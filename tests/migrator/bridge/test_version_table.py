"""What is known of each database and each schema that env.py opens."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.database import change
from support.history import MakeApp, Revision
from support.tenants import (
    app_of_several,
    databases_env,
    schemas_env,
    version_tables_env,
    with_driver,
)

from myapp.migrator.base.results import VersionTable
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.bridge.version_table import read_each
from myapp.migrator.config import run_context

TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32))"


def each(ini: Path) -> tuple[VersionTable, ...]:
    context = run_context(ini)
    return read_each(context, load_history(context).script)


def named(url: str) -> str:
    return str(sa.make_url(with_driver(url)).set(query={}))


def test_each_database_has_its_name_and_its_rows(make_app: MakeApp, tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}.sqlite" for name in ("one", "two", "three")]
    change(urls[0], TABLE, "INSERT INTO alembic_version VALUES ('a1')")
    change(urls[2], TABLE, "INSERT INTO alembic_version VALUES ('b1')")
    ini = app_of_several(make_app, databases_env(urls), [Revision("a1"), Revision("b1")])

    assert each(ini) == (
        VersionTable(urls[0], None, "alembic_version", ("a1",)),
        # The one in the middle doesn't exist yet, and doesn't hide the next one.
        VersionTable(urls[1], None, "alembic_version", (), str(tmp_path / "two.sqlite")),
        VersionTable(urls[2], None, "alembic_version", ("b1",)),
    )
    assert not (tmp_path / "two.sqlite").exists()


@pytest.mark.parametrize("env", [schemas_env, version_tables_env])
def test_each_schema_has_its_name_and_its_rows(
    make_app: MakeApp, postgresql_url: str, env: Callable[[str, Sequence[str]], str]
) -> None:
    for schema in ("one", "two"):
        change(
            postgresql_url, f"CREATE SCHEMA {schema}", TABLE.replace("TABLE ", f"TABLE {schema}.")
        )
    change(postgresql_url, "INSERT INTO two.alembic_version VALUES ('a1')")
    ini = app_of_several(make_app, env(postgresql_url, ["one", "two"]), [Revision("a1")])

    assert each(ini) == (
        VersionTable(named(postgresql_url), "one", "alembic_version", ()),
        VersionTable(named(postgresql_url), "two", "alembic_version", ("a1",)),
    )


def test_a_schema_that_is_translated_has_the_name_that_it_really_has(
    make_app: MakeApp, postgresql_url: str
) -> None:
    env = version_tables_env(postgresql_url, ["tenant"])
    translated = ".connect().execution_options(schema_translate_map={'tenant': 'one'})"
    ini = app_of_several(make_app, env.replace(".connect()", translated), [])

    assert [table.schema for table in each(ini)] == ["one"]


def test_a_database_that_the_url_does_not_name_is_asked_for_its_name(
    make_app: MakeApp, postgresql_url: str
) -> None:
    url = sa.make_url(with_driver(postgresql_url))
    given = {**url.query, "user": url.username, "password": url.password, "dbname": url.database}
    env = (
        "import psycopg2\n"
        "from alembic import context\n"
        "from sqlalchemy import create_engine\n"
        "engine = create_engine('postgresql+psycopg2://',"
        f" creator=lambda: psycopg2.connect(**{given!r}))\n"
        "with engine.connect() as connection:\n"
        "    context.configure(connection=connection)\n"
        "    context.run_migrations()\n"
    )
    ini = app_of_several(make_app, env, [])

    assert each(ini) == (
        VersionTable(f"postgresql+psycopg2:///{url.database}", "public", "alembic_version", ()),
    )

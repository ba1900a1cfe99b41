"""The project's own migrations, with the tests that pytest-alembic has for everybody's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alembic.config
import pytest
from pytest_alembic.tests import (
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)
from sqlalchemy import Engine, create_engine, inspect
from support.command import invoke, run
from support.database import change, connection_to, heads, rows, tables
from support.ini import MakeIni

from myapp.migrator.config import alembic_config as build
from myapp.migrator.database.url import engine_url

__all__ = [
    "test_model_definitions_match_ddl",
    "test_single_head_revision",
    "test_up_down_consistency",
    "test_upgrade",
]


@pytest.fixture
def ini(make_ini: MakeIni, database_url: str) -> Path:
    return make_ini(
        {
            "sqlalchemy.url": database_url,
            "alembic.script_location": "myapp:migrations",
            "alembic.target_metadata": "myapp.models:Base.metadata",
        }
    )


@pytest.fixture
def alembic_config(ini: Path) -> alembic.config.Config:
    return build(ini)


@pytest.fixture
def alembic_engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(engine_url(database_url))
    yield engine
    engine.dispose()


def columns(url: str) -> dict[str, tuple[str, bool]]:
    """Return the type of each column of `users`, and whether it may be empty."""
    with connection_to(url) as connection:
        found = inspect(connection).get_columns("users")
    return {each["name"]: (str(each["type"]), each["nullable"]) for each in found}


def index(url: str) -> dict[str, Any]:
    with connection_to(url) as connection:
        (found,) = inspect(connection).get_indexes("users")
    return {"name": found["name"], "columns": found["column_names"], "unique": found["unique"]}


def require_head(url: str) -> None:
    assert tables(url) == {"users", "alembic_version"}
    assert heads(url) == {"c85d3f6a1e90"}
    assert columns(url) == {
        "id": ("INTEGER", False),
        "name": ("VARCHAR(50)", False),
        "email": ("VARCHAR(255)", True),
    }
    assert {**index(url), "unique": bool(index(url)["unique"])} == {
        "name": "ix_users_email",
        "columns": ["email"],
        "unique": True,
    }


def test_the_console_script_goes_up_and_down_and_up_again(ini: Path, database_url: str) -> None:
    up = run(ini, "upgrade")
    assert (up.returncode, up.stdout.partition(" in ")[0]) == (0, "Upgraded 2 revisions")
    require_head(database_url)

    down = run(ini, "downgrade", "base")
    assert (down.returncode, down.stdout.partition(" in ")[0]) == (0, "Downgraded 2 revisions")
    assert tables(database_url) == {"alembic_version"}
    assert heads(database_url) == set()

    again = run(ini, "upgrade")
    assert again.returncode == 0
    require_head(database_url)
    assert run(ini, "check").stdout == "Models and database agree.\n"


def test_the_first_revision_alone_makes_users(ini: Path, database_url: str) -> None:
    assert invoke(ini, "upgrade", "+1").returncode == 0

    assert columns(database_url) == {"id": ("INTEGER", False), "name": ("VARCHAR(50)", False)}
    with connection_to(database_url) as connection:
        assert inspect(connection).get_pk_constraint("users")["name"] == "pk_users"


def test_rows_survive_the_second_revision_and_its_downgrade(ini: Path, database_url: str) -> None:
    invoke(ini, "upgrade", "+1")
    change(database_url, "INSERT INTO users (id, name) VALUES (1, 'Ada')")

    assert invoke(ini, "upgrade").returncode == 0
    assert rows(database_url, "SELECT name, email FROM users") == [("Ada", None)]
    assert invoke(ini, "downgrade", "-1").returncode == 0
    assert rows(database_url, "SELECT id, name FROM users") == [(1, "Ada")]


def test_an_index_that_could_not_be_built_is_built_when_run_again(
    make_ini: MakeIni, postgresql_url: str
) -> None:
    ini = make_ini(
        {"sqlalchemy.url": postgresql_url, "alembic.script_location": "myapp:migrations"}
    )
    invoke(ini, "upgrade", "+1")
    change(
        postgresql_url,
        "ALTER TABLE users ADD email VARCHAR(255)",
        "INSERT INTO users (name, email) VALUES ('Ada', 'a@example.org'), ('Al', 'a@example.org')",
    )
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_users_email')"

    failed = invoke(ini, "upgrade")

    assert failed.returncode == 9
    first, stands, added, asked, whole, invalid, hint = failed.stderr.splitlines()
    assert first.startswith(
        "Error: Revision c85d3f6a1e90 (Add email to users) failed outside a transaction: could not"
        ' create unique index "ix_users_email": '
    )
    assert stands.strip() == (
        "The database stands at 4b7e21c09d35 (Create users). Of c85d3f6a1e90, this was committed"
        " and stays:"
    )
    assert added.strip() == "ALTER TABLE users ADD COLUMN IF NOT EXISTS email VARCHAR(255)"
    assert asked.strip().startswith("DO $$ BEGIN IF EXISTS")
    assert whole.strip() == "The list may not be complete."
    assert invalid.strip() == "Left invalid, so that no query uses it: index ix_users_email."
    assert hint.startswith("Hint:  run `DROP INDEX CONCURRENTLY ix_users_email;`; undo by hand")
    assert "Traceback" not in failed.stderr
    assert heads(postgresql_url) == {"4b7e21c09d35"}
    assert rows(postgresql_url, valid) == [(False,)]

    change(postgresql_url, "UPDATE users SET email = NULL WHERE name = 'Al'")
    again = invoke(ini, "upgrade")

    assert again.returncode == 0, again.stderr
    assert rows(postgresql_url, valid) == [(True,)]
    require_head(postgresql_url)

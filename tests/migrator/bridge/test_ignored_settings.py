"""Settings that an env.py of its own doesn't hand on to Alembic."""

from pathlib import Path

import pytest
from support.command import invoke
from support.history import MakeApp, Revision, foreign_env
from support.processes import write_env


def warned(ini: Path, *typed: str) -> list[str]:
    result = invoke(ini, *typed)
    assert result.returncode == 0, result.stderr
    return [line for line in result.stderr.splitlines() if line.startswith("Warning:")]


@pytest.mark.parametrize("command", ["upgrade", "current", "stamp heads"])
def test_the_version_table_that_is_not_taken_is_told(
    command: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("a1")], {"alembic.version_table": "versions"})
    write_env(ini, foreign_env(""))
    assert warned(ini, *command.split()) == [
        "Warning: env.py doesn't follow `alembic.version_table = versions`: the version table is"
        " alembic_version. Let it pass `version_table='versions'` to `context.configure()`, or drop"
        " the setting."
    ]


def test_the_schema_that_is_not_taken_is_told(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, [Revision("a1")], {"alembic.version_table_schema": "shop"})
    write_env(ini, foreign_env(""))
    assert warned(ini, "current") == [
        "Warning: env.py doesn't follow `alembic.version_table_schema = shop`: the version table"
        " is in public. Let it pass `version_table_schema='shop'` to `context.configure()`, or drop"
        " the setting."
    ]


def test_a_schema_that_is_taken_anyway_is_not(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, [Revision("a1")], {"alembic.version_table_schema": "public"})
    write_env(ini, foreign_env(""))
    assert warned(ini, "upgrade") == []


@pytest.mark.parametrize(
    ("value", "options", "found", "argument"),
    [
        (
            "revision",
            "transactional_ddl=True",
            "all revisions of a run share one transaction",
            "transaction_per_migration=True",
        ),
        (
            "single",
            "transactional_ddl=True, transaction_per_migration=True",
            "each revision has a transaction of its own",
            "transaction_per_migration=False",
        ),
        ("single", "", "each revision has a transaction of its own", "transactional_ddl=True"),
        ("single", "transactional_ddl=True", "", ""),
        ("revision", "transactional_ddl=True, transaction_per_migration=True", "", ""),
        ("revision", "", "", ""),
    ],
)
def test_the_transactions_that_are_not_as_set_are_told(
    value: str, options: str, found: str, argument: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("a1")], {"migrate.transaction": value})
    write_env(ini, foreign_env(options))
    assert warned(ini, "current") == []  # it runs nothing
    assert warned(ini, "upgrade") == (
        [
            f"Warning: env.py doesn't follow `migrate.transaction = {value}`: {found}. Let it pass"
            f" `{argument}` to `context.configure()`, or drop the setting."
        ]
        if found
        else []
    )


def test_what_is_not_set_may_be_anything(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [Revision("a1")])
    write_env(ini, foreign_env("version_table='mine', transactional_ddl=True"))
    assert warned(ini, "upgrade") == []


def test_our_own_env_py_follows_them(make_app: MakeApp, sqlite_url: str) -> None:
    settings = {"alembic.version_table": "versions", "migrate.transaction": "single"}
    assert warned(make_app(sqlite_url, [Revision("a1")], settings), "upgrade") == []

"""An env.py with nothing to run is told from one that forgot to run it."""

import json
from pathlib import Path

import pytest
from support.command import Result, invoke
from support.database import change
from support.history import MakeApp, Revision
from support.tenants import app_of_several, databases_env, schemas_env

from myapp.migrator.bridge.tenants import loops_over_databases

START = "from alembic import context\n"
RUN = "    context.configure(connection=connection)\n    context.run_migrations()\n"

NO_TENANTS = {
    "a loop": databases_env([]),
    "a loop over a function": START
    + f"def run(connection):\n{RUN}\nfor each in []:\n    run(each)\n",
    "a loop in a function": START
    + f"def run():\n  for connection in []:\n{RUN}\ndef main():\n    run()\nmain()\n",
    "a comprehension": START + f"def run(connection):\n{RUN}\n[run(each) for each in []]\n",
    "a map": START + f"def run(connection):\n{RUN}\nlist(map(run, []))\n",
    "a coroutine for each": START
    + "import asyncio\n"
    + f"async def run(connection):\n{RUN}\n"
    + "async def main():\n    await asyncio.gather(*(run(each) for each in []))\n"
    + "asyncio.run(main())\n",
    "this package's own": "from myapp.migrator.environment import run_migrations\n"
    "for tenant in ():\n    run_migrations(version_table_schema=tenant)\n",
}
BROKEN = {
    "nothing": "",
    "a loop over something else": START + "for each in []:\n    print(each)\n",
    "a function that nobody calls": START
    + f"def main():\n  for connection in []:\n{RUN}\nfor each in []:\n    print(each)\n",
    "a condition": START + f"if not context:\n{RUN}",
    "a comment": START + "for each in []:\n    pass  # context.run_migrations()\n",
    "configured, and not run": START
    + "import sqlalchemy\n"
    + "with sqlalchemy.create_engine('sqlite://').connect() as connection:\n"
    + "    context.configure(connection=connection)\n"
    + "    for each in []:\n        context.run_migrations()\n",
}


def asked(make_app: MakeApp, env: str, command: str) -> Result:
    return invoke(app_of_several(make_app, env, [Revision("r1")]), *command.split())


@pytest.mark.parametrize("env", NO_TENANTS)
def test_an_upgrade_without_tenants_is_done(make_app: MakeApp, env: str) -> None:
    done = asked(make_app, NO_TENANTS[env], "upgrade")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "Nothing to do: env.py named no database.\n",
        "",
    )


@pytest.mark.parametrize("env", BROKEN)
@pytest.mark.parametrize("command", ["upgrade", "current"])
def test_an_env_py_that_forgot_is_an_error(make_app: MakeApp, env: str, command: str) -> None:
    failed = asked(make_app, BROKEN[env], command)
    assert failed.returncode == 2
    assert "env.py ended without running Alembic" in failed.stderr


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("downgrade base", "Nothing to do: env.py named no database.\n"),
        ("stamp r1", "Nothing to do: env.py named no database.\n"),
        ("ensure-version", "Nothing to do: env.py named no database.\n"),
        ("current", "env.py named no database.\n"),
        ("current -v --check-heads", "env.py named no database.\n"),
        ("wait --timeout 0", "env.py named no database.\n"),
        ("history", "<base> -> r1 (head), a change\n"),
    ],
)
def test_without_tenants_each_command_says_so(make_app: MakeApp, command: str, answer: str) -> None:
    done = asked(make_app, databases_env([]), command)
    assert (done.returncode, done.stdout) == (0, answer)


def test_the_document_has_no_database(make_app: MakeApp) -> None:
    found = json.loads(asked(make_app, databases_env([]), "current --json").stdout)
    assert (found["databases"], found["database"], found["rows"]) == ([], None, [])


@pytest.mark.parametrize(
    ("command", "purpose"),
    [
        ("check", "compare the models with"),
        ("show current", "stand at a revision"),
        ("history -i", "stand at a revision"),
        ("upgrade current:heads --sql", "begin at"),
        ("revision --autogenerate -m more", "compare the models with"),
    ],
)
def test_what_needs_a_database_says_that_there_is_none(
    make_app: MakeApp, command: str, purpose: str
) -> None:
    failed = asked(make_app, databases_env([]), command)
    assert failed.returncode == 2
    assert failed.stderr == (
        f"Error: env.py named no database, so there is none to {purpose}.\n"
        "Hint:  let env.py call `context.run_migrations()` for one database at least.\n"
    )


def test_tenants_in_a_table_may_be_none(make_app: MakeApp, postgresql_url: str) -> None:
    change(postgresql_url, "CREATE TABLE tenants (name text)")
    tenants = "connection.scalars(text('SELECT name FROM tenants')).all()"
    ini = app_of_several(make_app, schemas_env(postgresql_url, tenants), [Revision("r1")])
    assert invoke(ini, "upgrade").stdout == "Nothing to do: env.py named no database.\n"
    change(postgresql_url, "CREATE SCHEMA one", "INSERT INTO tenants VALUES ('one')")
    assert " is at r1" in invoke(ini, "upgrade").stdout


def test_code_that_cannot_be_read_has_no_loop(tmp_path: Path) -> None:
    assert not loops_over_databases(tmp_path / "env.py")
    (tmp_path / "env.py").write_text("for\n")
    assert not loops_over_databases(tmp_path / "env.py")

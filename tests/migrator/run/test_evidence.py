"""Revisions whose work escapes SQLAlchemy's transactions are never taken for rolled back."""

from pathlib import Path
from textwrap import dedent

import pytest
from support.command import Result, invoke
from support.database import change, heads, rows
from support.history import MakeApp, Revision
from support.processes import write_env
from support.sessions import session

INSERT = 'op.execute("INSERT INTO log VALUES (1)")'
OUTSIDE = f"with op.get_context().autocommit_block():\n    {INSERT}\n"
RAW = 'raw.cursor().execute("INSERT INTO log VALUES (1)")\nraw.commit()\n'


def failed(
    make_app: MakeApp, url: str, *bodies: str, env: str = "", settings: dict[str, str] | None = None
) -> Result:
    """Run revisions with these bodies, after one that leaves the table log."""
    ids = [f"r{number}" for number in range(len(bodies) + 1)]
    line = [Revision("r0", upgrade='op.execute("CREATE TABLE log (n INTEGER)")')]
    line += [
        Revision(id_, ids[number], upgrade="\n".join("    " + row for row in body.splitlines()))
        for number, (id_, body) in enumerate(zip(ids[1:], bodies, strict=True))
    ]
    ini = make_app(url, line, {"migrate.lock_timeout": "0.1", **(settings or {})})
    assert invoke(ini, "upgrade", "r0").returncode == 0
    if env:
        write_env(ini, env)
    return invoke(ini, "upgrade")


def logged(url: str) -> int:
    return len(rows(url, "SELECT n FROM log"))


@pytest.mark.parametrize("retries", ["0", "2"])
def test_what_the_last_commit_of_a_shared_transaction_leaves_behind_is_told(
    retries: str, make_app: MakeApp, postgresql_url: str
) -> None:
    change(
        postgresql_url, "CREATE TABLE parent (id int PRIMARY KEY)", "INSERT INTO parent VALUES (1)"
    )
    change(
        postgresql_url,
        "CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
    )
    settings = {"migrate.transaction": "single", "migrate.retries": retries}
    late = 'op.execute("INSERT INTO child VALUES (1)")'
    with session(postgresql_url, "SELECT FROM parent FOR UPDATE"):
        result = failed(make_app, postgresql_url, OUTSIDE, late, settings=settings)
    assert result.returncode == 9, result.stderr
    assert "\n         INSERT INTO log VALUES (1)\n" in result.stderr
    assert (logged(postgresql_url), heads(postgresql_url)) == (1, {"r0"})


ESCAPES = {
    "a pool's raw connection": "raw = sa.create_engine(op.get_bind().engine.url).raw_connection()\n"
    + RAW,
    "one after a look at the tables": (
        "engine = sa.create_engine(op.get_bind().engine.url)\n"
        'assert sa.inspect(engine).has_table("log")\nraw = engine.raw_connection()\n' + RAW
    ),
    "a raw connection after the rollback": (
        "op.get_bind().rollback()\nraw = op.get_bind().connection\n" + RAW
    ),
    "autocommit after the rollback": (
        "op.get_bind().rollback()\nraw = op.get_bind().connection.driver_connection\n"
        'raw.autocommit = True\nraw.cursor().execute("INSERT INTO log VALUES (1)")\n'
        "raw.autocommit = False\n"
    ),
}


@pytest.mark.parametrize("body", ESCAPES.values(), ids=ESCAPES)
def test_raw_work_is_not_taken_for_rolled_back(
    body: str, make_app: MakeApp, postgresql_url: str
) -> None:
    result = failed(make_app, postgresql_url, f"{body}raise RuntimeError")
    assert (result.returncode, logged(postgresql_url)) == (9, 1), result.stderr


def test_a_pool_that_an_earlier_revision_has_filled_is_heard_of(
    make_app: MakeApp, postgresql_url: str
) -> None:
    body = f"raw = op.get_bind().engine.raw_connection()\n{RAW}raw.close()\n"
    result = failed(make_app, postgresql_url, body, f"{body}raise RuntimeError")
    assert (result.returncode, logged(postgresql_url)) == (9, 2), result.stderr


@pytest.mark.parametrize(
    "work",
    [
        'op.get_bind().connection.cursor().execute("INSERT INTO log VALUES (1)")',
        'driver.executescript("INSERT INTO log VALUES (1);")',
        "import sqlite3\nwith sqlite3.connect(FILE) as raw:\n"
        '    raw.execute("INSERT INTO log VALUES (1)")',
    ],
    ids=["cursor", "executescript", "another connection"],
)
def test_what_sqlite_commits_after_a_rollback_is_seen(
    work: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    body = (
        f"FILE = {str(tmp_path / 'test.sqlite')!r}\nop.get_bind().rollback()\n"
        f"driver = op.get_bind().connection.driver_connection\n{work}\nraise RuntimeError"
    )
    result = failed(make_app, sqlite_url, body)
    stays = logged(sqlite_url)
    assert (result.returncode, stays) in [(9, 1), (1, 0)], result.stderr
    assert stays or "cursor" in work


TRIES_AGAIN = """
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
for number in range(2):
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, transaction_per_migration=True)
            with context.begin_transaction():
                context.run_migrations()
        break
    except RuntimeError:
        if number or not TWICE:
            if TWICE:
                raise
"""


@pytest.mark.parametrize("twice", [True, False], ids=["tried twice", "swallowed"])
def test_an_env_py_with_its_own_handling_of_errors_hides_nothing(
    twice: bool, make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    flag = str(tmp_path / "flag")
    body = dedent(f"""\
        import os
        if os.path.exists({flag!r}):
            raise RuntimeError
        open({flag!r}, "w").close()
        """)
    result = failed(
        make_app,
        database_url,
        f"{body}{OUTSIDE}raise RuntimeError",
        env=TRIES_AGAIN.replace("TWICE", str(twice)),
    )
    assert (result.returncode, logged(database_url)) == (9, 1), result.stderr


def test_only_statements_of_revisions_that_are_not_recorded_are_listed(
    make_app: MakeApp, postgresql_url: str
) -> None:
    body = 'op.execute("CREATE TABLE side (n int)")\n'
    body += OUTSIDE.replace("log", "nowhere")
    result = failed(
        make_app, postgresql_url, INSERT, body, settings={"migrate.transaction": "single"}
    )
    assert result.returncode == 9
    assert heads(postgresql_url) == {"r1"}
    assert "this was committed and stays:\n         CREATE TABLE side (n int)\n" in result.stderr
    assert "INSERT INTO log" not in result.stderr

"""What a database says, in the words and with the hint of someone who must act on it."""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import pytest
import sqlalchemy
from sqlalchemy import make_url
from support.command import invoke
from support.database import change, connection_to, heads, tables
from support.history import MakeApp, Revision, create_table
from support.postgresql import execute
from support.refusal import files, refused, told

from myapp.migrator.database.failures import described, first_line

A = Revision("aaaa1111", message="add a", **create_table("a"))
STANDS_AT_A = "The database stands at aaaa1111 (add a)."


def revision(code: str) -> Revision:
    """Return a revision that makes the table b, then runs `code`."""
    body = f"{create_table('b')['upgrade']}\n{code}"
    return Revision("bbbb2222", "aaaa1111", message="add b", upgrade=body)


def path_of(tmp_path: Path) -> Path:
    return tmp_path / "migrations" / "versions" / "bbbb2222_.py"


@pytest.fixture
def role(postgresql_server: str) -> Iterator[str]:
    """A role of the test's own; `url_as` knows its password."""
    name = f"r_{uuid4().hex[:12]}"
    execute(postgresql_server, f"CREATE ROLE {name} LOGIN PASSWORD 'pw-{name}'")
    yield name
    execute(postgresql_server, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def url_as(role: str, url: str) -> str:
    changed = make_url(url).set(username=role, password=f"pw-{role}")
    return changed.render_as_string(hide_password=False)


# Outside any migration


def test_a_user_who_may_not_read_the_version_table(
    tmp_path: Path, make_app: MakeApp, postgresql_url: str, role: str
) -> None:
    change(postgresql_url, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    ini = make_app(url_as(role, postgresql_url), [A])
    error = "The database can't be used: permission denied for table alembic_version."
    hint = "GRANT it to the user in `sqlalchemy.url`, or name another user."
    refused(tmp_path, 6, error, hint, ini, "upgrade")
    refused(tmp_path, 6, error, hint, ini, "current")


def test_a_user_who_may_not_make_the_version_table(
    tmp_path: Path, make_app: MakeApp, postgresql_url: str, role: str
) -> None:
    ini = make_app(url_as(role, postgresql_url), [A])
    error = "The database can't be used: permission denied for schema public."
    hint = "GRANT it to the user in `sqlalchemy.url`, or name another user."
    refused(tmp_path, 6, error, hint, ini, "upgrade")
    assert tables(postgresql_url) == set()


@pytest.mark.parametrize(
    ("prepare", "reason", "hint"),
    [
        (
            "ALTER ROLE {role} CONNECTION LIMIT 0",
            'too many connections for role "{role}"',
            "try again when others have disconnected. A run needs two connections at once, one of"
            " them for the lock. Where there is only one, set `migrate.lock = session`.",
        ),
        (
            "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
            'permission denied for database "{database}"',
            "GRANT it to the user in `sqlalchemy.url`, or name another user.",
        ),
    ],
)
def test_a_server_that_admits_this_user_not_now_or_not_here(
    make_app: MakeApp, postgresql_url: str, role: str, prepare: str, reason: str, hint: str
) -> None:
    names = {"role": role, "database": urlsplit(postgresql_url).path[1:]}
    execute(postgresql_url, prepare.format(**names))

    result = invoke(make_app(url_as(role, postgresql_url), [A]), "upgrade")

    first, second = result.stderr.splitlines()
    assert result.returncode == 6
    assert first.endswith(f" failed: FATAL: {reason.format(**names)}.")
    assert second == f"Hint:  {hint}"


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold SQLite's write lock."""
    with connection_to(url) as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield


def test_an_sqlite_file_that_another_program_is_writing(
    tmp_path: Path, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(f"{sqlite_url}?timeout=0.1", [A, revision("pass")], {"migrate.retries": "0"})
    invoke(ini, "upgrade", "aaaa1111")
    before = files(tmp_path)
    with locked(sqlite_url):
        result = invoke(ini, "upgrade")
    error = "The database can't be used: database is locked."
    hint = "another session holds a lock: try again when it has ended."
    assert (result.returncode, result.stderr) == (6, told(error, hint))
    assert files(tmp_path).keys() == before.keys()
    assert heads(sqlite_url) == {"aaaa1111"}


@pytest.mark.skipif(
    sqlalchemy.__version__ < "2.1" or importlib.util.find_spec("psycopg") is not None,
    reason="a bare postgresql:// is psycopg2 before SQLAlchemy 2.1, and works with psycopg",
)
def test_an_env_py_with_its_own_engine_and_no_psycopg(
    tmp_path: Path, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app("postgresql://shop@h/shop", [A])
    env = "from sqlalchemy import create_engine\ncreate_engine('postgresql://shop@h/shop')\n"
    (tmp_path / "migrations" / "env.py").write_text(env)
    error = (
        "This application's env.py makes its own engine, and SQLAlchemy 2.1 takes a bare"
        " `postgresql://` for the driver psycopg, which is not installed."
    )
    hint = "write `postgresql+psycopg2://` in `sqlalchemy.url`."
    refused(tmp_path, 2, error, hint, ini, "upgrade")


# In a migration


@pytest.mark.parametrize(
    ("code", "reason", "line"),
    [
        ("raise ValueError('boo')", "ValueError: boo", " (line 14)"),
        ("raise ValueError", "ValueError", " (line 14)"),
        ("raise ValueError('one\\ntwo')", "ValueError: one", " (line 14)"),
        ("import sys; sys.exit(3)", "SystemExit: 3", " (line 14)"),
        ("import sys; sys.exit()", "SystemExit", " (line 14)"),
        ("raise BaseException('all of it')", "BaseException: all of it", " (line 14)"),
        ("import click; raise click.exceptions.Exit(0)", "Exit: 0", " (line 14)"),
        ("raise BrokenPipeError('gone')", "BrokenPipeError: gone", " (line 14)"),
        ("op.nothing()", "AttributeError: module 'alembic.op' has no attribute 'nothing'", None),
        ("raise ValueError('a\\0b\\x1b[31mc')", r"ValueError: a\x00b\x1b[31mc", " (line 14)"),
        ("raise ValueError('x' * 100_000)", f"ValueError: {'x' * 500}...", " (line 14)"),
    ],
)
def test_a_migration_that_raises_is_rolled_back(
    tmp_path: Path, make_app: MakeApp, sqlite_url: str, code: str, reason: str, line: str | None
) -> None:
    ini = make_app(sqlite_url, [A, revision(code)])
    invoke(ini, "upgrade", "aaaa1111")
    error = f"Revision bbbb2222 (add b) failed and was rolled back: {reason}.\n{STANDS_AT_A}"
    hint = f"fix {path_of(tmp_path)}{line or ' (line 14)'}, then run the command again."
    refused(tmp_path, 1, error, hint, ini, "upgrade")


@pytest.mark.parametrize(
    "again",
    [
        "op.create_table('mine', sa.Column('id', sa.Integer))",
        "op.add_column('mine', sa.Column('id', sa.Integer))",
    ],
)
def test_what_is_there_already_may_be_stamped(
    tmp_path: Path, make_app: MakeApp, database_url: str, again: str
) -> None:
    change(database_url, "CREATE TABLE mine (id INTEGER)")
    ini = make_app(database_url, [A, revision(again)])
    result = invoke(ini, "upgrade")
    path = tmp_path / "migrations" / "versions" / "bbbb2222_.py"
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"Hint:  fix {path} (line 14), then run the command again; or, if the database has all of"
        f" this revision already, type `myapp-migrate {ini} stamp bbbb2222`."
    )


def test_a_downgrade_that_makes_what_is_there_is_not_to_be_stamped(
    make_app: MakeApp, sqlite_url: str
) -> None:
    again = "op.create_table('mine', sa.Column('id', sa.Integer))"
    ini = make_app(sqlite_url, [Revision("bbbb2222", upgrade=again, downgrade=again)])
    assert invoke(ini, "upgrade").returncode == 0
    result = invoke(ini, "downgrade", "base")
    assert result.returncode == 1
    assert result.stderr.endswith("then run the command again.\n")


def test_a_commit_that_fails_is_rolled_back_and_shows_the_row(
    tmp_path: Path, make_app: MakeApp, postgresql_url: str
) -> None:
    code = (
        "op.execute('CREATE TABLE d (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)')\n"
        "op.execute('INSERT INTO d VALUES (7), (7)')"
    )
    ini = make_app(postgresql_url, [A, revision(code)])
    invoke(ini, "upgrade", "aaaa1111")
    error = (
        "Revision bbbb2222 (add b) failed and was rolled back: duplicate key value violates unique"
        f' constraint "d_i_key": Key (i)=(7) already exists.\n{STANDS_AT_A}'
    )
    hint = f"fix {path_of(tmp_path)}, then run the command again."
    refused(tmp_path, 1, error, hint, ini, "upgrade")
    assert tables(postgresql_url) == {"a", "alembic_version"}


def test_a_refused_statement_is_shown_in_part_when_it_is_long(
    tmp_path: Path, make_app: MakeApp, sqlite_url: str
) -> None:
    statement = f"SELECT * FROM nowhere /* {'x' * 5000} */"
    ini = make_app(sqlite_url, [A, revision(f"op.execute({statement!r})")])
    invoke(ini, "upgrade", "aaaa1111")
    error = (
        "Revision bbbb2222 (add b) failed and was rolled back: no such table: nowhere (in:"
        f" {statement[:150]}...).\n{STANDS_AT_A}"
    )
    hint = f"fix {path_of(tmp_path)} (line 14), then run the command again."
    refused(tmp_path, 1, error, hint, ini, "upgrade")


def test_a_lock_that_another_session_holds_is_not_the_fault_of_the_file(
    tmp_path: Path, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(
        postgresql_url,
        [A, revision("op.execute('ALTER TABLE a ADD COLUMN note text')")],
        {"migrate.lock_timeout": "0.2", "migrate.retries": "0"},
    )
    invoke(ini, "upgrade", "aaaa1111")
    error = (
        "Revision bbbb2222 (add b) failed and was rolled back: canceling statement due to lock"
        " timeout (in: ALTER TABLE a ADD COLUMN note text).\n"
        "Blocked by pid {pid} (user deploy; idle in transaction for 0 s): LOCK TABLE a.\n"
        f"{STANDS_AT_A}"
    )
    hint = (
        "another session holds a lock: run the command again when it has ended, or raise"
        " `migrate.lock_timeout`."
    )
    with connection_to(postgresql_url) as other:
        pid = other.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        other.exec_driver_sql("LOCK TABLE a")
        result = invoke(ini, "upgrade")
    told = re.sub(r"for \d+ s\)", "for 0 s)", result.stderr)
    indented = error.format(pid=pid).replace("\n", "\n       ")
    assert (result.returncode, told) == (1, f"Error: {indented}\nHint:  {hint}\n")
    assert tables(postgresql_url) == {"a", "alembic_version"}


def test_a_lost_connection_is_not_the_fault_of_the_file(
    make_app: MakeApp, postgresql_url: str
) -> None:
    kill = "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
    ini = make_app(postgresql_url, [A, revision(kill)])
    invoke(ini, "upgrade", "aaaa1111")

    result = invoke(ini, "upgrade")

    lines = result.stderr.splitlines()
    assert result.returncode == 1
    assert lines[0].startswith("Error: Revision bbbb2222 (add b) failed and was rolled back: ")
    assert lines[1:] == [
        f"       {STANDS_AT_A}",
        "Hint:  see why the connection was lost, then run the command again.",
    ]
    assert tables(postgresql_url) == {"a", "alembic_version"}


def test_a_database_that_is_gone_cannot_tell_where_it_stands(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    name = urlsplit(postgresql_url).path[1:]
    code = (
        "from support.postgresql import execute\n"
        f"execute({postgresql_server!r}, 'DROP DATABASE {name} WITH (FORCE)')\n"
        "op.execute('SELECT 1')"
    )
    ini = make_app(postgresql_url, [A, revision(code)])
    invoke(ini, "upgrade", "aaaa1111")

    result = invoke(ini, "upgrade")
    execute(postgresql_server, f"CREATE DATABASE {name}")  # for the fixture to drop

    lines = result.stderr.splitlines()
    assert result.returncode == 6
    assert lines[0].startswith("Error: Revision bbbb2222 (add b) failed: ")
    assert lines[1].startswith("       Where the database stands can't be told: The database can't")
    assert lines[1].endswith(
        f'FATAL: database "{name}" does not exist. Of bbbb2222, something may stay: it used'
        " another connection, or started a program, whose work isn't known."
    )
    assert lines[2] == (
        f"Hint:  when the database is back, `myapp-migrate {ini} current` tells where it stands."
    )


# The words


@pytest.mark.parametrize(
    ("error", "line", "description"),
    [
        (ValueError("one\n two "), "one", "ValueError: one"),
        (ValueError("ends."), "ends", "ValueError: ends"),
        (ValueError(""), "ValueError", "ValueError"),
        (ValueError("\n\n"), "ValueError", "ValueError"),
        (KeyError("k"), "'k'", "KeyError: 'k'"),
        (ValueError("refused\nFATAL:  no"), "refused", "ValueError: refused"),
        (
            psycopg2.OperationalError("refused\nFATAL:  no"),
            "FATAL: no",
            "OperationalError: FATAL: no",
        ),
    ],
)
def test_an_exception_is_told_in_one_line(error: Exception, line: str, description: str) -> None:
    assert first_line(error) == line
    assert described(error) == description


def test_a_user_who_may_not_do_what_a_revision_does(
    tmp_path: Path, make_app: MakeApp, postgresql_url: str, role: str
) -> None:
    ini = make_app(postgresql_url, [A, revision("op.execute('ALTER TABLE a ADD x int')")])
    invoke(ini, "upgrade", "aaaa1111")
    change(
        postgresql_url,
        f"GRANT ALL ON SCHEMA public TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
    )
    before, after = postgresql_url, url_as(role, postgresql_url)
    ini.write_text(ini.read_text().replace(before.replace("%", "%%"), after.replace("%", "%%")))
    error = (
        "Revision bbbb2222 (add b) failed and was rolled back: must be owner of table a (in: ALTER"
        f" TABLE a ADD x int).\n{STANDS_AT_A}"
    )
    hint = (
        "let the user in `sqlalchemy.url` do this (GRANT it, or make it the owner), or name another"
        " user; then run the command again."
    )
    refused(tmp_path, 1, error, hint, ini, "upgrade")
    change(postgresql_url, f"DROP OWNED BY {role}")  # here, where it can


def test_a_statement_that_an_administrator_cancelled(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    cancel = "op.execute('SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(9)')"
    ini = make_app(postgresql_url, [A, revision(cancel)])
    assert invoke(ini, "upgrade").stderr.endswith(
        "\nHint:  ask who cancelled its statement; then run the command again.\n"
    )


def test_a_timeout_outside_a_transaction_needs_a_longer_one_too(
    make_app: MakeApp, postgresql_url: str
) -> None:
    code = (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE TABLE c (i int)')\n"
        "    op.execute('SELECT pg_sleep(30)')"
    )
    ini = make_app(
        postgresql_url,
        [A, Revision("bbbb2222", "aaaa1111", "add b", upgrade=code)],
        {"migrate.statement_timeout": "0.3"},
    )
    result = invoke(ini, "upgrade")
    assert result.returncode == 9
    assert result.stderr.endswith(
        "; raise `migrate.statement_timeout` (0 is none), or let the revision do less at a time;"
        " then run the command again.\n"
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise NotImplementedError", "NotImplementedError"),
        ("raise NotImplementedError('rows are lost')", "NotImplementedError: rows are lost"),
    ],
)
def test_a_revision_that_cannot_be_downgraded_says_so(
    tmp_path: Path, make_app: MakeApp, sqlite_url: str, code: str, reason: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1111", message="add a", downgrade=code)])
    invoke(ini, "upgrade")
    path = tmp_path / "migrations" / "versions" / "aaaa1111_.py"
    error = (
        f"Revision aaaa1111 (add a) failed and was rolled back: {reason}.\nThe database stands at"
        " aaaa1111 (add a)."
    )
    hint = (
        f"this revision can't be downgraded: restore a backup, or write in {path} (line 17) what"
        " undoes it."
    )
    refused(tmp_path, 1, error, hint, ini, "downgrade", "base")


def test_an_operation_that_alembic_lacks_for_sqlite_is_for_the_file_to_mend(
    make_app: MakeApp, sqlite_url: str
) -> None:
    code = "op.create_unique_constraint('u', 'a', ['id'])"
    ini = make_app(sqlite_url, [Revision("aaaa1111", downgrade=code, upgrade=A.upgrade)])
    invoke(ini, "upgrade")
    result = invoke(ini, "downgrade", "base")
    assert "NotImplementedError" in result.stderr
    assert "\nHint:  fix " in result.stderr

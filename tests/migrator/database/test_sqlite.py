"""SQLite: a revision is all or nothing, and no row is lost by it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event
from support.command import invoke
from support.database import change, heads, rows, tables
from support.history import MakeApp, Revision, create_table, foreign_env
from support.processes import write_env

PARENT_AND_CHILD = Revision(
    "aaa111",
    upgrade="""\
    op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT)")
    op.execute(
        "CREATE TABLE child (id INTEGER PRIMARY KEY,"
        " parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE)"
    )
    op.execute("INSERT INTO parent VALUES (1, 'one'), (2, 'two')")
    op.execute("INSERT INTO child VALUES (1, 1), (2, 1), (3, 2)")
    """,
)
REBUILD = Revision(
    "bbb222",
    "aaa111",
    upgrade="""\
    with op.batch_alter_table("parent") as batch:
        batch.alter_column("name", nullable=False)
    """,
)
BREAKING = "op.execute('DELETE FROM parent WHERE id = 1')"
OWN_ENGINE = foreign_env("")


@pytest.fixture
def _foreign_keys() -> Iterator[None]:
    """Enforce foreign keys in every connection, as an application's connect event does."""

    def enforce(dbapi_connection: Any, record: Any) -> None:
        if isinstance(dbapi_connection, sqlite3.Connection):
            dbapi_connection.execute("PRAGMA foreign_keys = ON")

    event.listen(Engine, "connect", enforce)
    yield
    event.remove(Engine, "connect", enforce)


@contextmanager
def executed() -> Iterator[list[str]]:
    """Collect what SQLite is asked on connections that are opened within."""
    statements: list[str] = []

    def trace(dbapi_connection: Any, record: Any) -> None:
        dbapi_connection.set_trace_callback(statements.append)

    event.listen(Engine, "connect", trace)
    try:
        yield statements
    finally:
        event.remove(Engine, "connect", trace)


def children(url: str) -> list[tuple[Any, ...]]:
    return rows(url, "SELECT id, parent_id FROM child ORDER BY id")


def test_a_failed_revision_leaves_no_table_and_a_rerun_goes_through(
    make_app: MakeApp, sqlite_url: str
) -> None:
    upgrade = "op.execute('CREATE TABLE a (id int)')\nop.execute('INSERT INTO nowhere VALUES (1)')"
    ini = make_app(sqlite_url, [Revision("aaa111", upgrade=upgrade)])
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert "Revision aaa111 (a change) failed and was rolled back: no such table" in result.stderr
    assert "a" not in tables(sqlite_url)
    change(sqlite_url, "CREATE TABLE nowhere (id int)")
    assert invoke(ini, "upgrade").returncode == 0


@pytest.mark.usefixtures("_foreign_keys")
@pytest.mark.parametrize("env", [None, OWN_ENGINE], ids=["our env.py", "an env.py's own engine"])
def test_rebuilding_a_table_deletes_no_row_that_refers_to_it(
    env: str | None, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [PARENT_AND_CHILD, REBUILD])
    if env:
        write_env(ini, env)
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert heads(sqlite_url) == {"bbb222"}
    assert children(sqlite_url) == [(1, 1), (2, 1), (3, 2)]


@pytest.mark.usefixtures("_foreign_keys")
def test_an_enforced_cascade_would_delete_them_without_this_command(sqlite_url: str) -> None:
    # What the test before guards against: it must be able to fail.
    change(
        sqlite_url,
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id int, parent_id int REFERENCES parent (id) ON DELETE CASCADE)",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1, 1)",
        "DROP TABLE parent",
    )
    assert rows(sqlite_url, "SELECT * FROM child") == []


@pytest.mark.usefixtures("_foreign_keys")
def test_a_revision_that_breaks_foreign_keys_is_rolled_back_and_the_rows_are_listed(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(
        sqlite_url, [PARENT_AND_CHILD, Revision("bbb222", "aaa111", "orphans", upgrade=BREAKING)]
    )
    result = invoke(ini, "upgrade")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[1:] == [
        "Error: Revision bbb222 (orphans) failed and was rolled back: ForeignKeyViolation: it"
        " breaks foreign keys: child row 1 refers to no row of parent; child row 2 refers to no row"
        " of parent.",
        "       The database stands at aaa111 (a change).",
        f"Hint:  fix {ini.parent / 'migrations/versions/bbb222_.py'}, then run the command again.",
    ]
    assert rows(sqlite_url, "SELECT id FROM parent") == [(1,), (2,)]
    assert heads(sqlite_url) == {"aaa111"}


@pytest.mark.usefixtures("_foreign_keys")
def test_what_was_broken_before_is_none_of_the_revisions_doing(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [PARENT_AND_CHILD, REBUILD])
    invoke(ini, "upgrade", "aaa111")
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("INSERT INTO child VALUES (9, 99)")
    connection.close()
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert (9, 99) in children(sqlite_url)


LOOSE = [
    "CREATE TABLE loose (name text)",
    "CREATE TABLE refers (name text REFERENCES loose (name))",
]


@pytest.mark.usefixtures("_foreign_keys")
def test_a_key_that_refers_to_columns_that_are_not_unique_is_told_too(
    make_app: MakeApp, sqlite_url: str
) -> None:
    upgrade = "\n".join(f"op.execute('{statement}')" for statement in LOOSE)
    result = invoke(make_app(sqlite_url, [Revision("aaa111", upgrade=upgrade)]), "upgrade")
    assert result.returncode == 1
    assert ': foreign key mismatch - "refers" referencing "loose".\n' in result.stderr
    assert "loose" not in tables(sqlite_url)


@pytest.mark.usefixtures("_foreign_keys")
def test_such_a_key_of_old_hides_no_new_violation(make_app: MakeApp, sqlite_url: str) -> None:
    change(sqlite_url, *LOOSE)
    ini = make_app(sqlite_url, [PARENT_AND_CHILD, Revision("bbb222", "aaa111", upgrade=BREAKING)])
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert "child row 1 refers to no row of parent" in result.stderr
    assert "mismatch" not in result.stderr
    assert heads(sqlite_url) == {"aaa111"}


@pytest.mark.usefixtures("_foreign_keys")
def test_an_engine_that_an_env_py_keeps_enforces_foreign_keys_again(
    make_app: MakeApp, sqlite_url: str
) -> None:
    import support

    ini = make_app(sqlite_url, [PARENT_AND_CHILD])
    write_env(ini, f"import support\n{OWN_ENGINE}\nsupport.kept = engine\n")
    for _ in range(2):
        assert invoke(ini, "stamp", "base").returncode == 0
    engine: Engine = support.kept  # type: ignore[attr-defined]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE late (up INTEGER rEfErEnCeS parent)",
        "CREATE TABLE late (up INTEGER, FOREIGN KEY(up)REFERENCES[parent](id))",
        "CREATE TABLE late (note TEXT); ALTER TABLE late ADD COLUMN up INTEGER references parent",
    ],
)
@pytest.mark.usefixtures("_foreign_keys")
def test_a_foreign_key_is_checked_however_it_is_written(
    make_app: MakeApp, sqlite_url: str, statement: str
) -> None:
    make = "\n".join(f"op.execute({each!r})" for each in statement.split("; "))
    orphan = "op.execute('INSERT INTO late (up) VALUES (7)')"
    ini = make_app(
        sqlite_url, [PARENT_AND_CHILD, Revision("bbb222", "aaa111", upgrade=f"{make}\n{orphan}")]
    )
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert "it breaks foreign keys: late row 1 refers to no row of parent" in " ".join(
        result.stderr.split()
    )
    assert heads(sqlite_url) == {"aaa111"}


@pytest.mark.usefixtures("_foreign_keys")
def test_tables_without_foreign_keys_are_not_looked_into(
    make_app: MakeApp, sqlite_url: str
) -> None:
    line = [PARENT_AND_CHILD, Revision("bbb222", "aaa111", **create_table("lonely"))]
    with executed() as statements:
        assert invoke(make_app(sqlite_url, line), "upgrade").returncode == 0
    checks = [statement for statement in statements if "foreign_key_check" in statement]
    assert set(checks) == {'PRAGMA foreign_key_check("child")'}


def test_foreign_keys_that_nobody_enforces_are_not_checked(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [PARENT_AND_CHILD, Revision("bbb222", "aaa111", upgrade=BREAKING)])
    assert invoke(ini, "upgrade").returncode == 0


def test_each_revision_stays_when_a_later_one_fails(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(
        sqlite_url, [PARENT_AND_CHILD, Revision("bbb222", "aaa111", upgrade="raise ValueError(1)")]
    )
    assert invoke(ini, "upgrade").returncode == 1
    assert heads(sqlite_url) == {"aaa111"}


def test_one_transaction_for_the_whole_run_undoes_it_all(
    make_app: MakeApp, database_url: str
) -> None:
    ini = make_app(
        database_url,
        [PARENT_AND_CHILD, Revision("bbb222", "aaa111", upgrade="raise ValueError(1)")],
        {"migrate.transaction": "single"},
    )
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert "The database stands at base (no revision)." in result.stderr
    assert tables(database_url) - {"alembic_version"} == set()


def test_one_transaction_for_the_whole_run_commits_it_all(
    make_app: MakeApp, database_url: str
) -> None:
    second = Revision("bbb222", "aaa111", upgrade="op.execute('CREATE TABLE later (id int)')")
    ini = make_app(database_url, [PARENT_AND_CHILD, second], {"migrate.transaction": "single"})
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert heads(database_url) == {"bbb222"}
    assert {"parent", "child", "later"} <= tables(database_url)


# Statements that SQLite doesn't run within a transaction


def journal_mode(url: str) -> str:
    ((mode,),) = rows(url, "PRAGMA journal_mode")
    return str(mode)


TO_WAL = "op.execute('PRAGMA journal_mode = WAL')"
IN_AUTOCOMMIT = "run that statement by itself within `with op.get_context().autocommit_block():`"


@pytest.mark.parametrize("env", [None, OWN_ENGINE], ids=["own", "foreign"])
def test_a_revision_may_begin_with_a_change_of_the_journal_mode(
    env: str | None, make_app: MakeApp, sqlite_url: str
) -> None:
    both = f"{TO_WAL}\nop.execute('CREATE TABLE t (i INTEGER)')\n{TO_WAL}"
    ini = make_app(sqlite_url, [Revision("aaa111", upgrade=both)])
    if env:
        write_env(ini, env)
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert (journal_mode(sqlite_url), tables(sqlite_url)) == ("wal", {"t", "alembic_version"})


@pytest.mark.parametrize("env", [None, OWN_ENGINE], ids=["own", "foreign"])
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "PRAGMA journal_mode = WAL",
            "IgnoredPragma: SQLite doesn't change its journal mode within a transaction",
        ),
        ("VACUUM", "cannot VACUUM from within a transaction"),
        ("PRAGMA synchronous = OFF", "Safety level may not be changed inside a transaction"),
    ],
)
def test_what_sqlite_refuses_within_a_transaction_has_the_hint_to_leave_it(
    statement: str, reason: str, env: str | None, make_app: MakeApp, sqlite_url: str
) -> None:
    code = f"op.execute('CREATE TABLE t (i INTEGER)')\nop.execute('{statement}')"
    ini = make_app(sqlite_url, [Revision("aaa111", message="add a", upgrade=code)])
    if env:
        write_env(ini, env)
    result = invoke(ini, "upgrade")
    path = ini.parent / "migrations" / "versions" / "aaa111_.py"
    assert (result.returncode, result.stderr) == (
        1,
        f"Error: Revision aaa111 (add a) failed and was rolled back: {reason} (in: {statement}).\n"
        "       The database stands at base (no revision).\n"
        f"Hint:  in {path} (line 14), {IN_AUTOCOMMIT}; then run the command again.\n",
    )
    assert journal_mode(sqlite_url) == "delete"


@pytest.mark.parametrize("statement", ["PRAGMA journal_mode = WAL", "VACUUM"])
def test_that_hint_is_right(statement: str, make_app: MakeApp, sqlite_url: str) -> None:
    code = (
        "op.execute('CREATE TABLE t (i INTEGER)')\n"
        "with op.get_context().autocommit_block():\n"
        f"    op.execute('{statement}')"
    )
    result = invoke(make_app(sqlite_url, [Revision("aaa111", upgrade=code)]), "upgrade")
    assert result.returncode == 0, result.stderr
    assert journal_mode(sqlite_url) == ("wal" if "WAL" in statement else "delete")


def test_a_run_in_one_transaction_keeps_it_whole(make_app: MakeApp, sqlite_url: str) -> None:
    line = [
        Revision("aaa111", upgrade="op.execute('CREATE TABLE t (i INTEGER)')"),
        Revision("bbb222", "aaa111", upgrade=TO_WAL),
    ]
    ini = make_app(sqlite_url, line, {"migrate.transaction": "single"})
    result = invoke(ini, "upgrade")
    assert result.returncode == 1
    assert IN_AUTOCOMMIT in result.stderr
    assert "t" not in tables(sqlite_url)


def test_postgresql_has_the_same_hint(make_app: MakeApp, postgresql_url: str) -> None:
    code = "op.execute('CREATE TABLE t (i int)')\nop.execute('VACUUM')"
    result = invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=code)]), "upgrade")
    assert result.returncode == 1
    assert "VACUUM cannot run inside a transaction block (in: VACUUM).\n" in result.stderr
    assert f", {IN_AUTOCOMMIT}; then run the command again.\n" in result.stderr

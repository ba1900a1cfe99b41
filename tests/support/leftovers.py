"""Kinds of revisions, by what they do before they fail, and what a database holds."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

from support.command import Result, invoke
from support.database import connection_to
from support.history import ENV, MakeApp, Revision, foreign_env
from support.processes import write_env

#: The env.py, and what the .ini file says of transactions.
ENVIRONMENTS: dict[str, tuple[str, dict[str, str]]] = {
    "own": (ENV, {}),
    "foreign": (foreign_env(), {}),
    "single": (ENV, {"migrate.transaction": "single"}),
}
#: Where a revision's ending goes: an exception, a wait for a lock, a signal.
END = "END"


@dataclass(frozen=True)
class Kind:
    """What a revision does; `can_leave` is for the reader, the database decides."""

    name: str
    body: str


def name_of(part: Any) -> str:
    """Return how a kind, or a case, is called in a test's id."""
    return part.name if isinstance(part, Kind) else ", ".join(part)


def body_of(kind: Kind, ending: str, folder: Path, *first: str) -> str:
    """Return the body of a revision's upgrade, which notes each try in `folder`."""
    (line,) = (each for each in kind.body.splitlines() if each.strip() == END)
    lines = [
        "import os, signal, time",
        *first,
        f"with open({str(folder / 'tries')!r}, 'a') as tries: tries.write('x')",
    ]
    for each in kind.body.splitlines():
        lines.append(indent(ending, line.removesuffix(END)) if each == line else each)
    return indent("\n".join(lines), "    ")


def at_first_revision(
    make_app: MakeApp, url: str, body: str, env_py: str, settings: dict[str, str]
) -> Path:
    """Return an application that stands at aaa111, and whose bbb222 has `body`."""
    revisions = [Revision("aaa111"), Revision("bbb222", "aaa111", upgrade=body)]
    ini = make_app(url, revisions, {"migrate.retries": "1"} | settings)
    write_env(ini, env_py)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    return ini


def check_what_is_told(
    result: Result, folder: Path, *, stays: bool, may_err: bool, passing: str
) -> None:
    """Hold what is told of bbb222 to what stays of it; it is tried again only where nothing does.

    With `may_err`, it may be told that something stays although nothing does. `passing` is the
    error after which it is tried again.
    """
    is_told = " Of bbb222, " in result.stderr or "Left invalid" in result.stderr
    tries = len((folder / "tries").read_text())
    is_stopped = "Terminated" in result.stderr
    assert result.returncode == (143 if is_stopped else 9 if is_told else 1), result.stderr
    if stays:
        assert is_told, result.stderr
        assert tries == 1, result.stderr
    elif not may_err:
        assert not is_told, result.stderr
        assert tries == (2 if passing in result.stderr else 1), result.stderr


def _kinds(text: str) -> list[Kind]:
    """Read `== name` lines, each with a revision's code below it."""
    found = []
    for part in text.split("\n== ")[1:]:
        name, _, body = part.partition("\n")
        has_end = any(line.strip() == END for line in body.splitlines())
        found.append(Kind(name, body.strip("\n") if has_end else f"{body.strip()}\n{END}"))
    return found


AUTOCOMMIT = "with op.get_context().autocommit_block():"

#: They find the tables log (n int), busy and locked (id int), parts (partitioned), the function
#: note(n), which writes log, and the procedure batches(waits), which commits in batches.
ON_POSTGRESQL = _kinds(
    f"""
== nothing
pass
== an INSERT
op.execute("INSERT INTO log VALUES (1)")
== a CREATE TABLE
op.create_table("made", sa.Column("id", sa.Integer, primary_key=True))
== a SELECT
op.get_bind().execute(sa.text("SELECT count(*) FROM log")).scalar()
== a SELECT of a function that writes
op.execute("SELECT note(1)")
== the same outside a transaction
{AUTOCOMMIT}
    op.execute("SELECT note(1)")
== a savepoint that is rolled back
op.execute("INSERT INTO log VALUES (1)")
savepoint = op.get_bind().begin_nested()
op.execute("INSERT INTO log VALUES (2)")
savepoint.rollback()
== a savepoint that is released
with op.get_bind().begin_nested():
    op.execute("INSERT INTO log VALUES (2)")
== an error that is caught in a savepoint
try:
    with op.get_bind().begin_nested():
        op.execute("INSERT INTO nowhere VALUES (2)")
except sa.exc.ProgrammingError:
    op.execute("INSERT INTO log VALUES (1)")
== an INSERT outside a transaction
{AUTOCOMMIT}
    op.execute("INSERT INTO log VALUES (1)")
== the end outside a transaction
{AUTOCOMMIT}
    END
== the end outside a transaction, after a SELECT within one
op.get_bind().execute(sa.text("SELECT 1"))
{AUTOCOMMIT}
    END
== the end outside a transaction, after an INSERT within one
op.execute("INSERT INTO log VALUES (1)")
{AUTOCOMMIT}
    END
== an index that is built concurrently
{AUTOCOMMIT}
    op.execute("CREATE INDEX CONCURRENTLY ix_log ON log (n)")
== an index that is rebuilt concurrently
{AUTOCOMMIT}
    op.execute("REINDEX TABLE CONCURRENTLY log")
== an index that can't be built concurrently
{AUTOCOMMIT}
    op.execute("CREATE INDEX CONCURRENTLY ix_busy ON busy (id)")
== a partition that can't be detached concurrently
{AUTOCOMMIT}
    op.execute("ALTER TABLE parts DETACH PARTITION part1 CONCURRENTLY")
== an autocommit_block, then a savepoint that is rolled back
{AUTOCOMMIT}
    op.execute("INSERT INTO log VALUES (1)")
savepoint = op.get_bind().begin_nested()
savepoint.rollback()
== two empty autocommit_blocks
{AUTOCOMMIT}
    pass
{AUTOCOMMIT}
    pass
== an empty autocommit_block, then an INSERT
{AUTOCOMMIT}
    pass
op.execute("INSERT INTO log VALUES (1)")
== several parameter sets outside a transaction, of which a later one fails
{AUTOCOMMIT}
    op.get_bind().execute(sa.text("INSERT INTO log VALUES (10 / :n)"), SETS)
== several parameter sets in a transaction, of which a later one fails
op.get_bind().execute(sa.text("INSERT INTO log VALUES (10 / :n)"), SETS)
== a DO block that commits in batches
{AUTOCOMMIT}
    op.execute("DO $$ BEGIN INSERT INTO log VALUES (1); COMMIT; INSERT INTO log VALUES (2); END $$")
== a DO block that commits, and then fails
{AUTOCOMMIT}
    op.execute("DO $$ BEGIN INSERT INTO log VALUES (1); COMMIT; PERFORM 1 / 0; END $$")
== a procedure that commits in batches
{AUTOCOMMIT}
    op.execute("CALL batches(false)")
== a procedure that commits in batches, and then waits for a lock
{AUTOCOMMIT}
    op.execute("CALL batches(true)")
== a typed COMMIT
op.execute("INSERT INTO log VALUES (1)")
op.execute("COMMIT")
== a typed COMMIT of nothing
op.execute("COMMIT")
== a typed COMMIT, then an INSERT
op.execute("COMMIT")
op.execute("INSERT INTO log VALUES (1)")
== COMMIT AND CHAIN
op.execute("INSERT INTO log VALUES (1)")
op.execute("COMMIT AND CHAIN")
== a COMMIT within a string
op.execute("INSERT INTO log VALUES (1); COMMIT; BEGIN")
== a ROLLBACK within a string
op.execute("INSERT INTO log VALUES (1); ROLLBACK; BEGIN; INSERT INTO log VALUES (2); COMMIT; BEGIN")
== the connection's commit
op.execute("INSERT INTO log VALUES (1)")
op.get_bind().commit()
== the connection's commit of nothing
op.get_bind().commit()
== the connection's rollback
op.execute("INSERT INTO log VALUES (1)")
op.get_bind().rollback()
== the connection's rollback, then an INSERT
op.execute("INSERT INTO log VALUES (1)")
op.get_bind().rollback()
op.execute("INSERT INTO log VALUES (2)")
== a commit that fails
op.execute("INSERT INTO deferred VALUES (1)")
op.get_bind().commit()
== an INSERT by a raw cursor
op.get_bind().connection.cursor().execute("INSERT INTO log VALUES (1)")
== a raw commit
op.get_bind().connection.cursor().execute("INSERT INTO log VALUES (1)")
op.get_bind().connection.commit()
== a raw rollback
op.get_bind().connection.cursor().execute("INSERT INTO log VALUES (1)")
op.get_bind().connection.rollback()
== a raw cursor outside a transaction
{AUTOCOMMIT}
    op.get_bind().connection.cursor().execute("INSERT INTO log VALUES (1)")
== a raw COPY
import io
raw = op.get_bind().connection.cursor()
raw.copy_expert("COPY log FROM STDIN", io.StringIO("1\\n2\\n"))
== a second engine that commits
with sa.create_engine(op.get_bind().engine.url).begin() as other:
    other.execute(sa.text("INSERT INTO log VALUES (1)"))
== a second engine that reads
with sa.create_engine(op.get_bind().engine.url).connect() as other:
    other.execute(sa.text("SELECT count(*) FROM log")).scalar()
== a second engine that rolls back
with sa.create_engine(op.get_bind().engine.url).connect() as other:
    other.execute(sa.text("INSERT INTO log VALUES (1)"))
== a second engine outside a transaction
engine = sa.create_engine(op.get_bind().engine.url, isolation_level="AUTOCOMMIT")
with engine.connect() as other:
    other.execute(sa.text("INSERT INTO log VALUES (1)"))
== a thread with an engine of its own
import threading
def work(url=op.get_bind().engine.url):
    with sa.create_engine(url).begin() as other:
        other.execute(sa.text("INSERT INTO log VALUES (1)"))
thread = threading.Thread(target=work)
thread.start()
thread.join()
== a raw connection that commits
import psycopg2
other = psycopg2.connect(URL)
other.cursor().execute("INSERT INTO log VALUES (1)")
other.commit()
other.close()
== a program
import subprocess
subprocess.run([PSQL, URL, "-Xqc", "INSERT INTO log VALUES (1)"], check=True)
== ABORT
op.execute("INSERT INTO log VALUES (1)")
op.execute("ABORT")
== a ROLLBACK after a comment
op.execute("INSERT INTO log VALUES (1)")
op.execute("/* undo it */ ROLLBACK")
== a ROLLBACK, then an INSERT
op.execute("ROLLBACK")
op.execute("INSERT INTO log VALUES (1)")
== a VACUUM
{AUTOCOMMIT}
    op.execute("VACUUM locks_nobody")
== a SET outside a transaction
{AUTOCOMMIT}
    op.execute("SET work_mem = '8MB'")
== a SET in a transaction
op.execute("SET work_mem = '8MB'")
op.execute("INSERT INTO log VALUES (1)")
== an INSERT and a SET in one string outside a transaction
{AUTOCOMMIT}
    op.execute("INSERT INTO log VALUES (1); SET work_mem = '8MB'")
== a SELECT outside a transaction
{AUTOCOMMIT}
    op.execute("SELECT count(*) FROM log")
== an error that is caught outside a transaction
{AUTOCOMMIT}
    try:
        op.execute("INSERT INTO nowhere VALUES (1)")
    except sa.exc.ProgrammingError:
        pass
== a TRUNCATE, a NOTIFY, an advisory lock
op.execute("TRUNCATE log")
op.execute("NOTIFY log")
op.execute("SELECT pg_advisory_lock(77)")
== a new value of an enum
op.execute("ALTER TYPE mood ADD VALUE 'new'")
== bulk_insert
op.bulk_insert(sa.table("log", sa.column("n", sa.Integer)), [{{"n": n}} for n in range(50)])
"""
)

POSTGRESQL_SETUP = (
    "CREATE TABLE log (n int)",
    "CREATE TABLE locks_nobody (n int)",
    "CREATE INDEX ix_old ON log (n)",
    "CREATE TABLE busy (id int)",
    "CREATE TABLE locked (id int)",
    "CREATE TABLE parts (id int) PARTITION BY RANGE (id)",
    "CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO deferred VALUES (1)",
    "CREATE TYPE mood AS ENUM ('old')",
    "CREATE FUNCTION note(n int) RETURNS void LANGUAGE sql AS 'INSERT INTO log VALUES (n)'",
    "CREATE PROCEDURE batches(waits boolean) LANGUAGE plpgsql AS $$ BEGIN FOR n IN 1..3 LOOP"
    " INSERT INTO log VALUES (n); COMMIT; END LOOP;"
    " IF waits THEN INSERT INTO locked VALUES (1); END IF; END $$",
)
#: What another session does meanwhile: a lock that is waited for, and transactions that hold up
#: CONCURRENTLY.
HOLDS = ("LOCK TABLE locked", "INSERT INTO busy VALUES (1)", "SELECT FROM parts")

_CATALOGUE = (
    "SELECT n.nspname, relname, relkind, relfilenode FROM pg_class c JOIN pg_namespace n"
    " ON n.oid = relnamespace WHERE nspname !~ '^pg_|^information_schema' ORDER BY 1, 2",
    "SELECT attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull"
    " FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0 ORDER BY 1, 2",
    "SELECT indexrelid::regclass::text, indisvalid, indisready FROM pg_index"
    " WHERE indexrelid >= 16384 ORDER BY 1",
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE oid >= 16384 ORDER BY 1",
    "SELECT inhrelid::regclass::text, inhdetachpending FROM pg_inherits ORDER BY 1",
    "SELECT proname, prosrc FROM pg_proc WHERE oid >= 16384 ORDER BY 1",
    "SELECT enumlabel FROM pg_enum ORDER BY 1",
    "SELECT description FROM pg_description WHERE objoid >= 16384 ORDER BY 1",
)


def held_by_postgresql(url: str) -> list[Any]:
    """Return the catalogue and all rows of a database, for comparison."""
    with connection_to(url) as connection:
        found: list[Any] = [connection.exec_driver_sql(query).fetchall() for query in _CATALOGUE]
        for schema, name, kind, _ in found[0]:
            if kind in "rp":
                rows = connection.exec_driver_sql(f'SELECT * FROM "{schema}"."{name}"').fetchall()
                found.append((name, sorted(map(str, rows))))
    return found


#: They find the tables log (n) and parent and child, of which child refers to parent.
ON_SQLITE = _kinds(
    f"""
== nothing
pass
== an INSERT
op.execute("INSERT INTO log VALUES (1)")
== a CREATE TABLE
op.create_table("made", sa.Column("id", sa.Integer, primary_key=True))
== a CREATE TABLE and an INSERT
op.create_table("made", sa.Column("id", sa.Integer, primary_key=True))
op.execute("INSERT INTO made VALUES (1)")
== a CREATE INDEX
op.create_index("ix_log", "log", ["n"])
== a DROP TABLE
op.drop_table("log")
== a rebuilt table
with op.batch_alter_table("parent") as batch:
    batch.add_column(sa.Column("name", sa.Text))
== a SELECT
op.get_bind().execute(sa.text("SELECT count(*) FROM log")).scalar()
== a savepoint that is rolled back
op.execute("INSERT INTO log VALUES (1)")
savepoint = op.get_bind().begin_nested()
op.execute("INSERT INTO log VALUES (2)")
savepoint.rollback()
== a savepoint that is released
with op.get_bind().begin_nested():
    op.execute("INSERT INTO log VALUES (2)")
== an error that is caught
try:
    op.execute("INSERT INTO nowhere VALUES (2)")
except sa.exc.OperationalError:
    op.execute("INSERT INTO log VALUES (1)")
== an INSERT outside a transaction
{AUTOCOMMIT}
    op.execute("INSERT INTO log VALUES (1)")
== the end outside a transaction
{AUTOCOMMIT}
    END
== the end outside a transaction, after an INSERT within one
op.execute("INSERT INTO log VALUES (1)")
{AUTOCOMMIT}
    END
== two empty autocommit_blocks
{AUTOCOMMIT}
    pass
{AUTOCOMMIT}
    pass
== an empty autocommit_block, then an INSERT
{AUTOCOMMIT}
    pass
op.execute("INSERT INTO log VALUES (1)")
== several parameter sets outside a transaction, of which a later one fails
{AUTOCOMMIT}
    op.get_bind().execute(sa.text("INSERT INTO single VALUES (:n)"), SETS)
== several parameter sets in a transaction, of which a later one fails
op.get_bind().execute(sa.text("INSERT INTO single VALUES (:n)"), SETS)
== executescript
op.get_bind().connection.driver_connection.executescript("INSERT INTO log VALUES (1);")
== executescript of nothing
op.get_bind().connection.driver_connection.executescript("SELECT 1;")
== executescript after an INSERT
op.execute("INSERT INTO log VALUES (1)")
op.get_bind().connection.driver_connection.executescript("SELECT 1;")
== a typed COMMIT
op.execute("INSERT INTO log VALUES (1)")
op.execute("COMMIT")
== a typed COMMIT of nothing
op.execute("COMMIT")
== a typed COMMIT, then a CREATE TABLE
op.execute("COMMIT")
op.create_table("made", sa.Column("id", sa.Integer, primary_key=True))
== a typed ROLLBACK
op.execute("INSERT INTO log VALUES (1)")
op.execute("/* undo it */ ROLLBACK")
== the connection's commit
op.execute("INSERT INTO log VALUES (1)")
op.get_bind().commit()
== the connection's commit of nothing
op.get_bind().commit()
== the connection's rollback, then an INSERT
op.execute("INSERT INTO log VALUES (1)")
op.get_bind().rollback()
op.execute("INSERT INTO log VALUES (2)")
== a raw cursor
op.get_bind().connection.cursor().execute("INSERT INTO log VALUES (1)")
== a raw commit
op.get_bind().connection.cursor().execute("INSERT INTO log VALUES (1)")
op.get_bind().connection.commit()
== a PRAGMA that persists, outside a transaction
{AUTOCOMMIT}
    op.execute("PRAGMA user_version = 7")
== a PRAGMA that persists, in a transaction
op.execute("PRAGMA user_version = 7")
== another journal mode
{AUTOCOMMIT}
    op.execute("PRAGMA journal_mode = WAL")
== a PRAGMA that doesn't persist
{AUTOCOMMIT}
    op.execute("PRAGMA cache_size = 100")
== a VACUUM
{AUTOCOMMIT}
    op.execute("VACUUM")
== another file that is attached
{AUTOCOMMIT}
    op.execute(f"ATTACH '{{FILE}}.other' AS other")
    op.execute("CREATE TABLE IF NOT EXISTS other.made (id INTEGER)")
== another file that is opened
import sqlite3
with sqlite3.connect(f"{{FILE}}.other") as other:
    other.execute("CREATE TABLE IF NOT EXISTS made (id INTEGER)")
== a second engine that reads
with sa.create_engine(op.get_bind().engine.url).connect() as other:
    other.execute(sa.text("SELECT count(*) FROM log")).scalar()
== a second connection, after a commit
op.get_bind().commit()
import sqlite3
with sqlite3.connect(FILE) as other:
    other.execute("INSERT INTO log VALUES (1)")
== a program
import subprocess, sys
op.get_bind().commit()
code = f"import sqlite3; sqlite3.connect({{FILE!r}}).executescript('INSERT INTO log VALUES (1)')"
subprocess.run([sys.executable, "-c", code], check=True)
"""
)

SQLITE_SETUP = (
    "CREATE TABLE log (n INTEGER)",
    "CREATE TABLE single (n INTEGER UNIQUE)",
    "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
    "CREATE TABLE child (id INTEGER REFERENCES parent (id) ON DELETE CASCADE)",
    "INSERT INTO parent VALUES (1)",
    "INSERT INTO child VALUES (1)",
)


def held_by_sqlite(path: str) -> list[Any]:
    """Return the schema, what persists of the PRAGMAs, and all rows, for comparison."""
    with closing(sqlite3.connect(path)) as connection:
        found: list[Any] = [
            connection.execute(f"PRAGMA {name}").fetchall()
            for name in ("user_version", "journal_mode")
        ]
        schema = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 2")
        found.append(schema.fetchall())
        for kind, name, _ in found[-1]:
            if kind == "table":
                found.append((name, connection.execute(f'SELECT * FROM "{name}"').fetchall()))
    return found

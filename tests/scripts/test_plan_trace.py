"""`plan --trace`: as text, as a document, and its exit status."""

import json
import signal
from pathlib import Path

import pytest
from sqlalchemy import make_url
from support.command import invoke
from support.database import change
from support.history import MakeApp, Revision
from support.processes import Start, until
from support.scratches import left_over
from support.sessions import plain_user
from support.tenants import schemas_env

from myapp.migrator.base.traces import Touched, TracedStatement
from myapp.scripts.plan_trace import lines

MADE = 'op.create_table("users", sa.Column("id", sa.Integer()), sa.Column("name", sa.Text()))'
NOT_NULL = 'op.alter_column("users", "name", nullable=False)\nop.execute("SELECT 1")'
ROWS = "INSERT INTO users SELECT n, 'a name' FROM generate_series(1, {}) n"


@pytest.fixture
def ini(make_app: MakeApp, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application at its first revision, in the working directory; one more is pending."""
    revisions = [
        Revision("aaa111", upgrade=MADE),
        Revision("bbb222", "aaa111", upgrade=NOT_NULL, message="need names"),
    ]
    app = make_app(postgresql_url, revisions)
    monkeypatch.chdir(app.parent)
    assert invoke(app, "upgrade", "aaa111").returncode == 0
    return app


def test_each_statement_is_told_with_what_it_locks(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, ROWS.format(20_000), "ANALYZE users")

    told = invoke(ini, "plan", "--trace").stdout.splitlines()

    at = told.index("  dangerous (line 13): ALTER TABLE users ALTER COLUMN name SET NOT NULL")
    assert told[at + 1] == "      users: ACCESS EXCLUSIVE, scanned"
    assert told[at + 2] == (
        "      SELECT and INSERT/UPDATE/DELETE wait until the commit, 1 statement later."
    )
    assert told[at + 3].startswith("      The scratch database held the lock for ")
    assert told[at + 4] == "  1 statement touches nothing that was there before."
    found = next(n for n, line in enumerate(told) if "set-not-null-scans" in line)
    assert told[found] == (
        "  error set-not-null-scans (line 13): users is read whole while SELECT and"
        " INSERT/UPDATE/DELETE wait."
    )
    assert told[found + 1].strip().startswith("op.create_check_constraint(")


def test_strict_counts_what_the_trace_finds(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, ROWS.format(20_000), "ANALYZE users")

    done = invoke(ini, "plan", "--trace", "--strict", "--json")

    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 10
    first = document["revisions"][0]["traced"][0]
    assert (first["judgement"], first["following"]) == ("dangerous", 1)
    assert first["touched"] == [
        {
            "name": "users",
            "table": "users",
            "is_index": False,
            "lock": "ACCESS EXCLUSIVE",
            "is_new": True,
            "is_rewritten": False,
            "is_scanned": True,
        }
    ]


def test_a_column_that_goes_under_a_lock_that_is_held_already_is_dangerous(
    ini: Path, postgresql_url: str
) -> None:
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    typed = 'op.alter_column("users", "name", type_=sa.Text())'
    code = path.read_text().replace('op.alter_column("users", "name", nullable=False)', typed)
    path.write_text(code.replace('op.execute("SELECT 1")', 'op.drop_column("users", "name")'))

    done = invoke(ini, "plan", "--trace", "--strict")

    told = done.stdout.splitlines()
    at = told.index("  dangerous (line 14): ALTER TABLE users DROP COLUMN name")
    assert told[at + 1] == "      users: ACCESS EXCLUSIVE, held already"
    assert "  error drop-column (line 14): users.name: running code may still use" in done.stdout
    assert "touches nothing" not in done.stdout
    assert done.returncode == 10


def test_the_heading_tells_what_was_seen_outside_a_transaction(ini: Path) -> None:
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    block = (
        "for (n,) in op.get_bind().execute(sa.text('SELECT 1')).all():\n"
        "        with op.get_context().autocommit_block():\n"
        "            op.execute('VACUUM users')"
    )
    path.write_text(path.read_text().replace('op.execute("SELECT 1")', block))

    done = invoke(ini, "plan", "--trace")

    assert "  Partly outside a transaction: what fails there is not rolled back." in done.stdout
    assert "In a transaction." not in done.stdout


def test_a_statement_of_a_loop_is_told_once() -> None:
    touched = Touched("t", "t", "ROW EXCLUSIVE", is_new=False)
    update = TracedStatement("UPDATE t SET a = %(a)s", 3, 1, (touched,))

    assert [line for line in lines((update,) * 3) if isinstance(line, str)] == [
        "      t: ROW EXCLUSIVE, held already",
        "  2 statements do what one above does.",
    ]


def test_a_small_table_is_locked_for_short(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, ROWS.format(10), "ANALYZE users")

    done = invoke(ini, "plan", "--trace")

    assert "  short (line 13): ALTER TABLE users" in done.stdout
    assert "error set-not-null-scans" not in done.stdout


def test_what_the_linter_fears_and_the_trace_does_not_see_is_a_warning(
    ini: Path, postgresql_url: str
) -> None:
    change(postgresql_url, "ALTER TABLE users ADD CHECK (name IS NOT NULL)")
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    checked = "    op.create_check_constraint('c', 'users', 'name IS NOT NULL')\n"
    made = ini.parent / "migrations" / "versions" / "aaa111_.py"
    made.write_text(made.read_text().replace("def downgrade", f"{checked}\n\ndef downgrade", 1))

    done = invoke(ini, "plan", "--trace", "--strict")
    path.write_text(path.read_text().replace("op.alter_column", "op.drop_column('users', 'id')#"))
    dropped = invoke(ini, "plan", "--trace", "--strict")

    assert (done.returncode, dropped.returncode) == (0, 10)
    assert "  warning adding-not-nullable-field (line 13): " in done.stdout
    assert "The trace saw no table read whole or written anew.\n" in done.stdout


def test_a_new_name_does_not_make_a_small_table_large(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, ROWS.format(10), "ANALYZE users")
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    renaming = 'op.rename_table("users", "people")\n    op.alter_column("people"'
    path.write_text(path.read_text().replace('op.alter_column("users"', renaming))

    done = invoke(ini, "plan", "--trace")

    assert "  short (line 14): ALTER TABLE people ALTER COLUMN name SET NOT NULL" in done.stdout
    assert "error set-not-null-scans" not in done.stdout


def test_a_serializable_session_is_traced_by_the_locks_that_block(
    ini: Path, postgresql_url: str
) -> None:
    ini.write_text(f"{ini.read_text()}sqlalchemy.isolation_level = SERIALIZABLE\n")
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    path.write_text(path.read_text().replace("SELECT 1", "SELECT name FROM users"))

    done = invoke(ini, "plan", "--trace", "--json")

    document = json.loads(done.stdout)
    assert document["trace_error"] is None
    assert document["revisions"][0]["traced"][0]["touched"][0]["lock"] == "ACCESS EXCLUSIVE"


def test_the_live_database_is_looked_at_once(ini: Path, postgresql_url: str) -> None:
    log = ini.parent / "opened"
    env = ini.parent / "migrations" / "env.py"
    opened = "make_url(context.config.get_main_option('sqlalchemy.url')).database"
    env.write_text(
        "from alembic import context\n"
        "from sqlalchemy import make_url\n"
        f"with open({str(log)!r}, 'a') as log: print({opened}, file=log)\n"
        f"{env.read_text()}"
    )

    assert invoke(ini, "plan", "--trace").returncode == 0

    names = log.read_text().splitlines()
    assert names.count(str(make_url(postgresql_url).database)) == 1


def test_each_schema_has_its_own_sizes(make_app: MakeApp, postgresql_url: str) -> None:
    made = "connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS \"{tenant}\"'))"
    env = schemas_env(postgresql_url, ["one", "two"]).replace(
        "connection.execute(text(f'SET", f"{made}\n        connection.execute(text(f'SET"
    )
    revisions = [
        Revision("aaa111", upgrade=MADE),
        Revision("bbb222", "aaa111", upgrade=NOT_NULL, message="need names"),
    ]
    app = make_app(postgresql_url, revisions)
    (app.parent / "migrations" / "env.py").write_text(env)
    assert invoke(app, "upgrade", "aaa111").returncode == 0
    change(postgresql_url, "SET search_path TO two", ROWS.format(20_000), "ANALYZE users")
    change(postgresql_url, "ANALYZE one.users")

    done = invoke(app, "plan", "--trace", "--json")
    text = invoke(app, "plan", "--trace").stdout

    judged = {
        each["schema"]: each["traced"][0]["judgement"]
        for each in json.loads(done.stdout)["revisions"]
    }
    assert judged == {"one": "short", "two": "dangerous"}
    # What differs from the first schema is told.
    assert text.index("error set-not-null-scans") > text.index("the same 1 revision")


def test_a_schema_with_nothing_to_do_needs_no_scratch_database(
    make_app: MakeApp, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, [Revision("aaa111", upgrade=MADE)])
    env = app.parent / "migrations" / "env.py"
    log = app.parent / "opened"
    made = "connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS \"{tenant}\"'))"
    name = "connection.execute(text('SELECT current_database()')).scalar()"
    opened = f"with open({str(log)!r}, 'a') as log: print({name}, file=log)"

    def tenants(*names: str) -> str:
        return schemas_env(postgresql_url, names).replace(
            "connection.execute(text(f'SET",
            f"{made}\n        {opened}\n        connection.execute(text(f'SET",
        )

    env.write_text(tenants("one"))
    assert invoke(app, "upgrade").returncode == 0
    env.write_text(tenants("one", "two"))
    log.unlink()

    done = invoke(app, "plan", "--trace", "--json")

    assert [each["schema"] for each in json.loads(done.stdout)["revisions"]] == ["two"]
    names = set(log.read_text().split()) - {make_url(postgresql_url).database}
    assert len(names) == 1


def test_the_way_down_may_drop_what_came_with_the_code(ini: Path) -> None:
    path = ini.parent / "migrations" / "versions" / "aaa111_.py"
    path.write_text(
        path.read_text().replace(
            "downgrade():\n    pass", 'downgrade():\n    op.drop_table("users")'
        )
    )

    done = invoke(ini, "plan", "--trace", "--down", "base")

    assert "  short (line 17): DROP TABLE users" in done.stdout
    assert "drop-table" not in done.stdout


def test_a_trace_and_a_start_exclude_each_other(ini: Path) -> None:
    done = invoke(ini, "plan", "--trace", "--from", "aaa111")

    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            "Error: `--trace` begins where the database stands, and `--from` asks no database.",
            "Hint:  leave out one of the two.",
        ],
    )


def test_what_may_be_missed_and_what_a_savepoint_lets_go_is_told() -> None:
    table = Touched("t", "t", "SHARE UPDATE EXCLUSIVE")
    vacuum = TracedStatement("VACUUM t", 3, None, (table,), may_have_missed=True)
    locked = table._replace(mode="SHARE")
    undone = TracedStatement("LOCK t", 4, 1, (locked,), following=2, is_undone=True)

    assert [line for line in lines((vacuum, undone)) if isinstance(line, str)] == [
        "      t: SHARE UPDATE EXCLUSIVE",
        "      Outside a transaction, a lock that it soon let go may have been missed.",
        "      t: SHARE",
        "      INSERT/UPDATE/DELETE wait until a rollback to a savepoint, 2 statements later.",
    ]


def slow(ini: Path) -> Path:
    """Let the pending revision take long, and return the file that it writes as it runs."""
    ready = ini.parent / "ready"
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    told = f"op.get_context().as_sql or open({str(ready)!r}, 'w').close()"
    sleep = f"{told}\n    op.execute('SELECT pg_sleep(600)')"
    path.write_text(path.read_text().replace('op.execute("SELECT 1")', sleep))
    return ready


def test_ctrl_c_ends_it_and_leaves_nothing(ini: Path, start: Start, postgresql_url: str) -> None:
    before, ready = left_over(postgresql_url), slow(ini)
    running = start(ini, "plan", "--trace")
    until(ready.exists)
    running.signal(signal.SIGINT)

    result = running.finish()

    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr == (
        "Error: Interrupted while revisions ran in a scratch database. The live one is untouched.\n"
    )
    assert left_over(postgresql_url) <= before


def test_what_a_killed_trace_has_left_is_dropped_by_the_next(
    ini: Path, start: Start, postgresql_url: str
) -> None:
    before, ready = left_over(postgresql_url), slow(ini)
    running = start(ini, "plan", "--trace")
    until(ready.exists)
    running.signal(signal.SIGKILL)
    running.finish()
    assert len(left_over(postgresql_url) - before) == 1

    (ini.parent / "migrations" / "versions" / "bbb222_.py").unlink()
    assert invoke(ini, "plan", "--trace", "--down", "base").returncode == 0

    assert left_over(postgresql_url) <= before


def test_one_who_may_not_see_locks_is_told_so(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    template = str(make_url(postgresql_server).set(database="template1").render_as_string(False))
    right = "EXECUTE ON FUNCTION pg_lock_status()"
    before = left_over(postgresql_url)
    with plain_user(postgresql_server, postgresql_url) as url:
        change(postgresql_server, f"ALTER ROLE {make_url(url).username} CREATEDB")
        app = make_app(url, [Revision("aaa111", upgrade=MADE)])
        change(template, f"REVOKE {right} FROM PUBLIC")
        try:
            done = invoke(app, "plan", "--trace")
        finally:
            change(template, f"GRANT {right} TO PUBLIC")

    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr.splitlines() == [
        "Error: In a scratch database: The database can't be used: permission denied for function"
        " pg_lock_status.",
        "Hint:  GRANT it to the user in `sqlalchemy.url`, or name another user. There is only what"
        " env.py and the revisions make there, schemas too.",
    ]
    assert left_over(postgresql_url) <= before


def test_a_schema_that_nobody_makes_there_is_told(make_app: MakeApp, postgresql_url: str) -> None:
    change(postgresql_url, "CREATE SCHEMA one")
    app = make_app(postgresql_url, [Revision("aaa111", upgrade=MADE)])
    (app.parent / "migrations" / "env.py").write_text(schemas_env(postgresql_url, ["one"]))

    done = invoke(app, "plan", "--trace")

    assert done.returncode == 6
    assert done.stderr.startswith("Error: In a scratch database: The version table can't be looked")
    assert done.stderr.endswith("only what env.py and the revisions make there, schemas too.\n")

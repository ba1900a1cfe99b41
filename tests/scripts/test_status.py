"""What `status` shows, line by line."""

import json
import os
import re
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.command import Result, invoke, run
from support.database import change, tables
from support.history import MakeApp, Revision, add_revision, create_table, foreign_env
from support.invalid_indexes import leave_invalid, two_alike
from support.processes import Start, until
from support.refusal import files
from support.sessions import plain_user, session
from support.tenants import databases_env

from myapp.migrator.lock.advisory import keys
from myapp.migrator.settings.settings import load_settings

A = Revision("aaaa1111", message="add a", **create_table("a"))
B = Revision("bbbb2222", "aaaa1111", message="add b", **create_table("b"))
C = Revision("cccc3333", "bbbb2222", message="add c")
OTHER_B = Revision("bbbb3333", "aaaa1111", message="add phone")
LONG = [
    A,
    *(Revision(f"r{n:03}", f"r{n - 1:03}" if n else "aaaa1111", f"step {n}") for n in range(9)),
]


def shown(result: Result) -> list[str]:
    """Return the lines, without what differs from run to run."""
    lines = re.sub(r"\d+ ms|\d+\.\d s", "<time>", result.stdout).splitlines()
    return [line.rstrip() for line in lines]


def document(ini: Path, *options: str, status: int = 0) -> dict[str, Any]:
    result = invoke(ini, "status", "--json", *options)
    assert result.returncode == status, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def of_database(ini: Path, *, status: int = 0) -> dict[str, Any]:
    """Return what is told of the only database."""
    (found,) = document(ini, status=status)["databases"]
    return dict(found)


def test_a_database_at_its_head(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [A, B])
    invoke(ini, "upgrade")
    assert shown(invoke(ini, "status")) == [
        f"Database    {sqlite_url}",
        f"Server      SQLite {sqlite3.sqlite_version}, answered in <time>",
        "Stands at   bbbb2222 (add b)",
        "Lock        nobody holds it",
        "Head        bbbb2222 (add b)",
        "Pending     nothing",
    ]
    assert invoke(ini, "status", "--check").returncode == 0


def test_the_quick_answer_is_the_ordinary_one(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(database_url, [A, B])
    invoke(ini, "upgrade")
    quick = of_database(ini)
    env = ini.parent / "migrations" / "env.py"
    env.write_text(env.read_text() + "# something else\n")
    ordinary = of_database(ini)
    assert quick.pop("seconds") > 0
    assert ordinary.pop("seconds") > 0
    assert quick == ordinary


def test_an_sqlite_file_that_is_missing_is_not_made(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, LONG)
    before = files(tmp_path)
    result = invoke(ini, "status")
    assert files(tmp_path) == before
    assert shown(result)[2:] == [
        "Stands at   base (no revision)",
        "Lock        nobody holds it",
        "Head        r008 (step 8)",
        "Pending     10 revisions",
        "              aaaa1111 add a",
        "              r000 step 0",
        "              r001 step 1",
        "              ... 5 more ...",
        "              r007 step 7",
        "              r008 step 8",
    ]
    assert result.returncode == 0
    assert invoke(ini, "status", "--check").returncode == 3


def test_no_version_table_is_made(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, [A, B])
    assert "Pending     2 revisions" in invoke(ini, "status").stdout
    assert tables(postgresql_url) == set()


def test_several_heads_are_drawn(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [A, B, OTHER_B])
    invoke(ini, "upgrade")
    result = invoke(ini, "status", "--check")
    assert result.returncode == 8
    assert shown(result)[4:] == [
        "2 heads     bbbb2222 (add b), bbbb3333 (add phone)",
        "            * bbbb2222 add b",
        "            | * bbbb3333 add phone",
        "            |/",
        "            * aaaa1111 add a",
        "            `merge heads` joins them.",
        "Pending     nothing",
    ]
    assert document(ini)["fork"]["ancestor"] == "aaaa1111"


def test_a_database_that_is_ahead(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [A, B])
    invoke(ini, "upgrade")
    (ini.parent / "migrations" / "versions" / "bbbb2222_.py").unlink()
    result = invoke(ini, "status", "--check")
    assert result.returncode == 7
    assert shown(result)[3:] == [
        "Ahead       this code lacks bbbb2222: newer code migrated it, or a file is gone",
        "Lock        nobody holds it",
        "Head        aaaa1111 (add a)",
        "Pending     not known",
    ]
    assert of_database(ini)["state"] == "ahead"


def test_what_can_not_be_run_counts_before_what_is_pending(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [A, B, OTHER_B, C])
    assert document(ini, "--check", status=8)["exit_code"] == 8
    invoke(ini, "upgrade", "bbbb3333")
    (ini.parent / "migrations" / "versions" / "bbbb3333_.py").unlink()
    add_revision(ini.parent / "migrations", Revision("dddd4444", "aaaa1111"))
    found = document(ini, "--check", status=7)
    assert (found["exit_code"], found["ok"], len(found["heads"])) == (7, True, 2)
    assert document(ini)["exit_code"] == 0


ODD = {
    "NULL": (
        ["NULL"],
        "holds NULL, so where the database stands can't be told.",
        "if you know it, `myapp-migrate {ini} stamp --purge REVISION` writes it (`base` for none).",
    ),
    "twice": (
        ["'aaaa1111'", "'aaaa1111'"],
        "holds aaaa1111 twice, so where the database stands can't be told.",
        "`myapp-migrate {ini} repair` shows what it would write, and asks.",
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_rows_that_say_nothing_are_told_on_the_screen(
    odd: str, make_app: MakeApp, sqlite_url: str
) -> None:
    values, told, cure = ODD[odd]
    change(sqlite_url, "CREATE TABLE alembic_version (version_num varchar(32))")
    change(sqlite_url, *(f"INSERT INTO alembic_version VALUES ({value})" for value in values))
    ini = make_app(sqlite_url, [A])
    result = invoke(ini, "status")
    assert result.returncode == 2
    assert shown(result)[2:] == [
        f"Unreadable  The version table alembic_version {told}",
        f"            {cure.format(ini=ini)}",
        "Lock        nobody holds it",
        "Head        aaaa1111 (add a)",
    ]
    found = of_database(ini, status=2)
    assert found["unreadable"].endswith(told)
    assert (found["state"], found["rows"], found["unreachable"]) == (None, None, None)


def test_a_version_table_of_something_else_is_told_on_the_screen(
    make_app: MakeApp, database_url: str
) -> None:
    change(database_url, "CREATE TABLE alembic_version (version varchar(32))")
    result = invoke(make_app(database_url, [A]), "status")
    assert result.returncode == 2
    assert "\nUnreadable  The version table is a table of something else: " in result.stdout
    assert shown(result)[-1] == "Head        aaaa1111 (add a)"


def test_a_version_table_that_the_role_may_not_read_is_not_called_unreachable(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE TABLE alembic_version (version_num varchar(32))")
    with plain_user(postgresql_server, postgresql_url) as url:
        result = invoke(make_app(url, [A]), "status")
    assert result.returncode == 6
    assert shown(result)[1:] == [
        "Unreadable  The database can't be used: permission denied for table alembic_version.",
        "            GRANT it to the user in `sqlalchemy.url`, or name another user.",
        "Head        aaaa1111 (add a)",
    ]


@pytest.mark.parametrize("rest", [[], [C]])
def test_a_row_that_another_one_says_is_told(
    rest: list[Revision], make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [A, B])
    invoke(ini, "upgrade")
    change(sqlite_url, "INSERT INTO alembic_version VALUES ('aaaa1111')")
    for each in rest:
        add_revision(ini.parent / "migrations", each)
    assert shown(invoke(ini, "status"))[2:4] == [
        "Stands at   bbbb2222 (add b)",
        "Superfluous aaaa1111: another row says it; `repair` takes it out",
    ]
    assert of_database(ini)["implied"] == ["aaaa1111"]


def test_a_server_that_cannot_be_reached_is_told_with_the_heads_of_the_code(
    make_app: MakeApp,
) -> None:
    ini = make_app("postgresql://shop:s3cret@127.0.0.1:1/shop", [A])
    result = invoke(ini, "status")
    assert result.returncode == 6
    lines = shown(result)
    assert lines[0] == "Database    postgresql+psycopg2://shop:***@127.0.0.1:1/shop"
    assert lines[1].startswith("Unreachable The database can't be")
    assert lines[-1] == "Head        aaaa1111 (add a)"
    assert "s3cret" not in result.stdout + result.stderr
    assert document(ini, status=6)["databases"][0]["state"] is None


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "postgresql session"])
def test_who_holds_the_lock_since_when_and_in_which_revision(
    kind: str, make_app: MakeApp, start: Start, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kind, _, lock = kind.partition(" ")
    url = request.getfixturevalue(f"{kind}_url")
    wait = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.05)"
    settings = {"migrate.lock": lock} if lock else {}
    ini = make_app(url, [A, Revision("bbbb2222", "aaaa1111", "wait", upgrade=wait)], settings)
    holder = start(ini, "upgrade")

    def held() -> dict[str, Any]:
        return dict(of_database(ini)["holder"] or {})

    until(lambda: held().get("revision") == "bbbb2222")
    told = held()
    text = invoke(ini, "status").stdout
    (tmp_path / "go").touch()
    assert f":{holder.pid}" in told["application"]
    assert told["since"]
    assert re.search(r"^Lock        pid \d+.* \(myapp-migrate upgrade .*\) holds it$", text, re.M)
    assert "            in revision bbbb2222\n" in text
    assert holder.finish().returncode == 0
    assert of_database(ini)["holder"] is None


def test_a_run_that_was_killed_on_sqlite_is_told(
    make_app: MakeApp, sqlite_url: str, start: Start
) -> None:
    wait = "import time\nop.execute('CREATE TABLE x (i int)')\ntime.sleep(60)"
    ini = make_app(sqlite_url, [A, Revision("bbbb2222", "aaaa1111", "wait", upgrade=wait)])
    run = start(ini, "upgrade")
    until(lambda: (of_database(ini)["holder"] or {}).get("revision") == "bbbb2222")
    run.signal(signal.SIGKILL)
    run.finish()
    (sentence,) = of_database(ini)["interrupted"]
    assert sentence.startswith(
        "a run died in revision bbbb2222 and left its lock file, which the next one takes: pid"
    )
    assert invoke(ini, "status", "--check").returncode == 3


def test_a_journal_whose_writer_died_is_told(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [A])
    invoke(ini, "upgrade")
    path = sqlite_url.removeprefix("sqlite:///")
    pid = os.fork()
    if not pid:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE big (x)")
        connection.executemany("INSERT INTO big VALUES (?)", [("x" * 900,)] * 500)
        os._exit(0)  # as if it were killed: the journal stays
    os.waitpid(pid, 0)
    assert os.path.exists(f"{path}-journal")
    assert of_database(ini)["interrupted"] == [
        "a transaction was open when its process died; this look has undone it"
    ]


def test_an_invalid_index_is_told_with_its_cure(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, [A])
    invoke(ini, "upgrade")
    two_alike(postgresql_url, "shop")
    leave_invalid(postgresql_url, "ix_shop", "shop")
    lines = shown(invoke(ini, "status"))
    assert "Invalid     index ix_shop of table shop" in lines
    assert any("`DROP INDEX CONCURRENTLY ix_shop;` removes it" in line for line in lines)


def test_a_run_that_has_lost_its_lock_and_still_works_is_told(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [A])
    invoke(ini, "upgrade")
    key = keys("public", load_settings(str(ini))).running
    take = f"SELECT pg_advisory_lock_shared({key})"
    with session(postgresql_url, take, name="myapp-migrate upgrade"):
        found = of_database(ini)
    (sentence,) = found["interrupted"]
    assert found["holder"] is None
    assert sentence.startswith("a run has lost its lock, and its last statement still runs: pid ")


def test_a_file_that_a_run_keeps_from_being_read_is_told_with_the_holder(
    make_app: MakeApp, sqlite_url: str, start: Start, tmp_path: Path
) -> None:
    wait = (
        "import os, time\nop.execute('PRAGMA cache_size = 1')\nop.execute('CREATE TABLE x (t)')\n"
        'for _ in range(300): op.execute("INSERT INTO x VALUES (hex(randomblob(900)))")\n'
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.05)"
    )
    settings = {"migrate.lock_timeout": "0.1"}
    ini = make_app(sqlite_url, [A, Revision("bbbb2222", "aaaa1111", upgrade=wait)], settings)
    invoke(ini, "upgrade", "aaaa1111")
    run = start(ini, "upgrade")

    def is_kept() -> bool:
        return invoke(ini, "status").returncode == 6

    until(is_kept)
    found = of_database(ini, status=6)
    assert found["holder"]["revision"] == "bbbb2222"
    assert re.search("^Lock        pid .* holds it$", invoke(ini, "status").stdout, re.MULTILINE)
    (tmp_path / "go").touch()
    assert run.finish().returncode == 0


def test_an_sqlite_file_that_may_only_be_read(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [A])
    invoke(ini, "upgrade")
    add_revision(ini.parent / "migrations", B)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.chmod(0o444)
    result = run(ini, "status", obeys_modes=True)
    assert f"Lacks       the right to write {path}" in result.stdout
    assert result.returncode == 0


def test_each_database_of_an_env_py_of_its_own_is_told(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [A, B])
    env = ini.parent / "migrations" / "env.py"
    env.write_text(foreign_env())
    invoke(ini, "upgrade", "aaaa1111")
    assert of_database(ini)["pending"] == ["bbbb2222"]
    lines = shown(invoke(ini, "status"))
    assert "Stands at   aaaa1111 (add a)" in lines
    assert lines[-1].strip() == "bbbb2222 add b"


def test_a_database_that_cannot_be_asked_leaves_the_others_told(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [A])
    urls = [sqlite_url, "postgresql+psycopg2://x@127.0.0.1:1/x"]
    (ini.parent / "migrations" / "env.py").write_text(databases_env(urls))
    found = document(ini, status=6)["databases"]
    assert [each["state"] for each in found] == ["pending", None]


@pytest.mark.parametrize("setting", [{}, {"alembic.version_table": "v", "alembic.timezone": "UTC"}])
def test_an_empty_history(make_app: MakeApp, sqlite_url: str, setting: dict[str, str]) -> None:
    ini = make_app(sqlite_url, [], setting)
    assert shown(invoke(ini, "status"))[-2:] == [
        "Head        there is no revision yet",
        "Pending     nothing",
    ]


def test_a_pending_revision_is_one_line_of_80_columns(make_app: MakeApp) -> None:
    ini = make_app("sqlite:///:memory:", [Revision("aaaa1111", message="long " * 40)])
    pending = invoke(ini, "status").stdout.splitlines()[-1]
    assert len(pending) <= 80

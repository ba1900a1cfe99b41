"""An SQLite database that runs out of space."""

import subprocess
from pathlib import Path

from support.command import SCRIPTS, invoke
from support.database import heads, rows
from support.faults import Figure, chance, times, wipe
from support.history import ENV, MakeApp, Revision
from support.processes import write_env

FILLING = [
    Revision(
        f"r{number:04}",
        f"r{number - 1:04}" if number else None,
        upgrade=f"""\
        op.execute("CREATE TABLE first{number} (data blob)")
        op.execute("INSERT INTO first{number} VALUES (randomblob(20000))")
        op.execute("CREATE TABLE second{number} (data blob)")
        op.execute("INSERT INTO second{number} VALUES (randomblob(20000))")
        """,
    )
    for number in range(10)
]
LIMITED = """\
from sqlalchemy import Engine, event

@event.listens_for(Engine, "connect")
def limit(dbapi_connection, record):
    dbapi_connection.execute("PRAGMA max_page_count = {pages}")

try:
    {run}
finally:
    event.remove(Engine, "connect", limit)
"""


def check(url: str) -> int:
    """Return how many revisions are applied; fail when one is by half."""
    applied = int(next(iter(heads(url)))[1:]) + 1 if rows_of(url, "alembic_version") else 0
    found = rows(url, "SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {name for (name,) in found} - {"alembic_version"}
    assert names == {f"{part}{n}" for n in range(applied) for part in ("first", "second")}
    assert rows(url, "PRAGMA integrity_check") == [("ok",)]
    return applied


def rows_of(url: str, table: str) -> list[object]:
    exists = rows(url, f"SELECT 1 FROM sqlite_master WHERE name = '{table}'")
    return list(rows(url, f"SELECT * FROM {table}")) if exists else []


def test_a_database_that_may_grow_no_more_stays_at_a_revision(
    sqlite_url: str, make_app: MakeApp, figure: Figure
) -> None:
    ini = make_app(sqlite_url, FILLING)
    env = ENV.strip().removesuffix("run_migrations()")
    moments, limits, midway = chance("disk"), times(10, 200), 0
    for _ in range(limits):
        pages = moments.randint(1, 115)
        write_env(ini, env + LIMITED.format(pages=pages, run="run_migrations()"))
        result = invoke(ini, "upgrade")
        assert result.returncode in (0, 1, 6), result.stderr
        if result.returncode:
            assert "database or disk is full" in result.stderr
        applied = check(sqlite_url)
        if result.returncode == 1:
            where = f"r{applied - 1:04} (a change)" if applied else "base (no revision)"
            assert f"\n       The database stands at {where}.\n" in result.stderr
        midway += 0 < applied < 10
        write_env(ini, ENV)
        assert invoke(ini, "upgrade").returncode == 0
        assert check(sqlite_url) == 10
        wipe(sqlite_url)
    figure(
        f"disk full, sqlite: {limits} limits, {midway} of them reached between the first and the"
        " last of 10 revisions: 0 half-applied, none damaged, all reruns reached head"
    )


def test_a_file_that_the_operating_system_lets_grow_no_more_stays_at_a_revision(
    sqlite_url: str, make_app: MakeApp, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, FILLING)
    command = [SCRIPTS / "myapp-migrate", ini, "upgrade"]
    limited = ["bash", "-c", 'ulimit -f 200; exec "$@"', "bash", *command]  # KiB
    done = subprocess.run(limited, capture_output=True, check=False, encoding="utf-8")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    applied = check(sqlite_url)
    assert 0 < applied < 10
    assert f"The database stands at r{applied - 1:04} (a change).\n" in done.stderr
    assert invoke(ini, "upgrade").returncode == 0
    assert check(sqlite_url) == 10

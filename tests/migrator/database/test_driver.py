"""A reading command leaves an SQLite database, and the files beside it, as they are."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.command import Result, invoke, run
from support.history import MakeApp, Revision, create_table
from support.processes import write_env
from support.refusal import files, read_only

from myapp.migrator.base.ask_alembic import AskAlembic
from myapp.migrator.database.driver import read_version_table

LINE = [Revision("aaa111", **create_table("a"))]
MODES = ["delete", "wal", "truncate", "persist"]
READING = ["current", "history", "upgrade", "wait --timeout 0", "show current", "downgrade aaa111"]
#: As many do: it never disposes of its engine.
FOREIGN = """\
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
connection = engine.connect()
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
"""


@pytest.fixture
def ini(make_app: MakeApp, tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    ini = make_app(f"sqlite:///{tmp_path}/data/test.sqlite", LINE)
    assert invoke(ini, "upgrade").returncode == 0
    return ini


def path_of(ini: Path) -> Path:
    return ini.parent / "data" / "test.sqlite"


def set_mode(ini: Path, mode: str) -> None:
    with closing(sqlite3.connect(path_of(ini))) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE more (x)")
        connection.commit()


def state(ini: Path) -> list[tuple[str, int, int, bytes]]:
    """Return the files beside the database, with their times and contents."""
    return [
        (path.name, path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(path_of(ini).parent.iterdir())
    ]


@contextmanager
def written_by_another(ini: Path) -> Iterator[sqlite3.Connection]:
    """Keep a connection that has committed a row, and has another one written."""
    with closing(sqlite3.connect(path_of(ini), isolation_level=None)) as writer:
        writer.execute("INSERT INTO more VALUES (1)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO more VALUES (2)")
        yield writer
        writer.execute("COMMIT")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env", [None, FOREIGN], ids=["ours", "foreign"])
def test_nothing_in_the_folder_changes(ini: Path, mode: str, env: str | None) -> None:
    set_mode(ini, mode)
    if env:
        write_env(ini, env)
    # Without disposing of its engine, it leaves that to the end of the process.
    start = run if env else invoke
    before = state(ini)
    for command in READING:
        assert start(ini, *command.split()).returncode == 0
        assert state(ini) == before, command


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", ["file", "folder"])
def test_nothing_changes_where_this_user_may_not_write(ini: Path, mode: str, what: str) -> None:
    set_mode(ini, mode)
    before = files(path_of(ini).parent)
    with read_only(path_of(ini) if what == "file" else path_of(ini).parent):
        for command in ("current", "history", "upgrade"):
            result = run(ini, *command.split(), obeys_modes=True)
            assert (result.returncode, result.stderr) == (0, ""), command
            assert files(path_of(ini).parent) == before
    assert run(ini, "current") == Result(0, "aaa111 (head), a change\n", "")


@pytest.mark.parametrize("mode", MODES)
def test_a_writer_that_is_at_work_is_not_disturbed(ini: Path, mode: str) -> None:
    set_mode(ini, mode)
    with written_by_another(ini):
        before = [name for name, *_ in state(ini)]
        assert run(ini, "current").stdout == "aaa111 (head), a change\n"
        assert [name for name, *_ in state(ini)] == before
    with closing(sqlite3.connect(path_of(ini))) as connection:
        assert connection.execute("SELECT x FROM more").fetchall() == [(1,), (2,)]


def test_the_log_of_a_killed_writer_is_read_and_kept(ini: Path) -> None:
    set_mode(ini, "wal")
    code = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute(\"UPDATE alembic_version SET version_num = 'zzz999'\")\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, path_of(ini)], check=True)
    before = state(ini)
    assert [name for name, *_ in before] == [f"test.sqlite{end}" for end in ("", "-shm", "-wal")]
    result = run(ini, "current")
    assert "The database stands at zzz999" in result.stderr
    assert [(name, node) for name, node, *_ in state(ini)] == [
        (name, node) for name, node, *_ in before
    ]
    assert [each for each in state(ini) if "shm" not in each[0]] == [
        each for each in before if "shm" not in each[0]
    ]


def test_what_could_have_been_written_meanwhile_is_not_believed(
    ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_mode(ini, "wal")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert read_version_table(f"sqlite:///{path_of(ini)}", "alembic_version", None).rows == (
        "aaa111",
    )
    moments = iter([["before"], ["after"]])
    monkeypatch.setattr("myapp.migrator.database.driver._files", lambda path: next(moments))
    with pytest.raises(AskAlembic):
        read_version_table(f"sqlite:///{path_of(ini)}", "alembic_version", None)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_link_to_a_database_leaves_nothing_at_either_place(
    ini: Path, mode: str, tmp_path: Path
) -> None:
    set_mode(ini, mode)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.sqlite"
    link.symlink_to(path_of(ini))
    before = state(ini)
    assert read_version_table(f"sqlite:///{link}", "alembic_version", None).rows == ("aaa111",)
    assert (state(ini), [*link.parent.iterdir()]) == (before, [link])

"""What a failed revision has left in an SQLite file is told as it is: many kinds, many endings."""

from pathlib import Path
from textwrap import indent

import pytest
from support.command import invoke, run
from support.database import change, heads
from support.faults import IS_FULL
from support.history import MakeApp, Revision
from support.leftovers import ON_SQLITE, SQLITE_SETUP, Kind, held_by_sqlite, in_turn, name_of
from support.processes import write_env

# Whether the revision holds the write lock or this connection does, one of the two is refused.
_BUSY = """\
import sqlite3
blocker = sqlite3.connect(FILE, timeout=0.05, isolation_level=None)
blocker.execute('BEGIN IMMEDIATE')
try:
    op.execute('INSERT INTO log VALUES (99)')
finally:
    blocker.close()
"""
ENDINGS = {
    "exception": "raise RuntimeError('the end')",
    "busy": _BUSY,
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(20)",
}
FOREIGN = """\
from alembic import context
from sqlalchemy import create_engine
with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
EVERY_CASE = [(env, ending) for env in ("own", "foreign", "single") for ending in ENDINGS]
FEW_CASES = [
    ("own", "exception"),
    ("foreign", "busy"),
    ("single", "exception"),
    ("own", "busy"),
    ("foreign", "exception"),
]
CASES = [
    (kind, case)
    for number, kind in enumerate(ON_SQLITE)
    for case in (EVERY_CASE if IS_FULL else in_turn(FEW_CASES, number, 3))
]
#: Where it is told that something may stay although nothing does.
WITHOUT_NEED = {"a VACUUM"}


@pytest.mark.parametrize(("kind", "case"), CASES, ids=name_of)
def test_what_stays_is_neither_told_as_rolled_back_nor_tried_again(
    kind: Kind, case: tuple[str, str], make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    env, ending = case
    file = str(tmp_path / "test.sqlite")
    ini = make_app(
        f"{sqlite_url}?timeout=0.05",
        [Revision("aaa111"), Revision("bbb222", "aaa111", upgrade=code(kind, ending, tmp_path))],
        {"migrate.retries": "1"} | ({"migrate.transaction": "single"} if env == "single" else {}),
    )
    if env == "foreign":
        write_env(ini, FOREIGN)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    change(sqlite_url, *SQLITE_SETUP)
    before = held_by_sqlite(file), (tmp_path / "test.sqlite.other").exists()
    result = (run if ending == "SIGTERM" else invoke)(ini, "upgrade")
    stays = (held_by_sqlite(file), (tmp_path / "test.sqlite.other").exists()) != before
    is_told = " Of bbb222, " in result.stderr
    tries = len((tmp_path / "tries").read_text())

    assert heads(sqlite_url) == {"aaa111"}
    is_stopped = "Terminated" in result.stderr
    assert result.returncode == (143 if is_stopped else 9 if is_told else 1), result.stderr
    if stays:
        assert is_told, result.stderr
        assert tries == 1, result.stderr
    elif kind.name not in WITHOUT_NEED:
        assert not is_told, result.stderr
        assert tries == (2 if "database is locked" in result.stderr else 1), result.stderr


def code(kind: Kind, ending: str, folder: Path) -> str:
    """Return the body of the revision's upgrade."""
    line = next((each for each in kind.body.splitlines() if each.strip() == "END"), "END")
    end = indent(ENDINGS[ending], line.removesuffix("END"))
    lines = [
        "import os, signal, time",
        f"FILE = {str(folder / 'test.sqlite')!r}",
        "SETS = [{'n': n} for n in (1, 2, 1)]",
        f"with open({str(folder / 'tries')!r}, 'a') as tries: tries.write('x')",
        kind.body.replace(line, end),
    ]
    return indent("\n".join(lines), "    ")

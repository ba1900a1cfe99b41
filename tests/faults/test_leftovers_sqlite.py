"""What a failed revision has left in an SQLite file is told as it is: many kinds, many endings."""

from pathlib import Path

import pytest
from support.command import invoke, run
from support.database import change, heads
from support.examples import in_turn
from support.faults import IS_FULL
from support.history import MakeApp, foreign_env
from support.leftovers import (
    ENVIRONMENTS,
    ON_SQLITE,
    SQLITE_SETUP,
    Kind,
    at_first_revision,
    body_of,
    check_what_is_told,
    held_by_sqlite,
    name_of,
)

from myapp.migrator.run.self_block import TOLD

# As if another process were writing: the revision isn't taken for the one that has opened these.
_BUSY = """\
import sqlite3
from myapp.migrator.base.our_own import connecting_for_ourselves
with connecting_for_ourselves():
    first, second = (
        sqlite3.connect(ELSEWHERE, timeout=0.05, isolation_level=None) for _ in range(2)
    )
first.execute('BEGIN IMMEDIATE')
try:
    second.execute('BEGIN IMMEDIATE')
finally:
    first.close()
    second.close()
"""
ENDINGS = {
    "exception": "raise RuntimeError('the end')",
    "busy": _BUSY,
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(20)",
}
# With one transaction for the whole run.
CHOICES = ENVIRONMENTS | {"foreign": (foreign_env(""), {})}
EVERY_CASE = [(env, ending) for env in CHOICES for ending in ENDINGS]
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
    for case in (EVERY_CASE if IS_FULL else in_turn(FEW_CASES, number, 2))
]
#: Where it is told that something may stay although nothing does.
WITHOUT_NEED = {"a VACUUM"}


@pytest.mark.parametrize(("kind", "case"), CASES, ids=name_of)
def test_what_stays_is_neither_told_as_rolled_back_nor_tried_again(
    kind: Kind, case: tuple[str, str], make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    env, ending = case
    env_py, settings = CHOICES[env]
    file, other = tmp_path / "test.sqlite", tmp_path / "test.sqlite.other"
    given = f"FILE, ELSEWHERE = {str(file)!r}, {str(tmp_path / 'elsewhere.sqlite')!r}"
    body = body_of(kind, ENDINGS[ending], tmp_path, given, "SETS = [{'n': n} for n in (1, 2, 1)]")
    ini = at_first_revision(make_app, f"{sqlite_url}?timeout=0.05", body, env_py, settings)
    change(sqlite_url, *SQLITE_SETUP)
    before = held_by_sqlite(str(file)), other.exists()
    result = (run if ending == "SIGTERM" else invoke)(ini, "upgrade")
    assert heads(sqlite_url) == {"aaa111"}
    check_what_is_told(
        result,
        tmp_path,
        stays=(held_by_sqlite(str(file)), other.exists()) != before,
        may_err=kind.name in WITHOUT_NEED,
        # Where it has opened the file twice, it is taken to block itself, and not tried again.
        passing="nothing passes" if TOLD in result.stderr else "database is locked",
    )

"""What a failed revision has left is told as it is: many kinds, each ended in three ways."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from support.command import invoke, run
from support.database import change, heads
from support.examples import in_turn
from support.faults import IS_FULL
from support.history import MakeApp
from support.leftovers import (
    ENVIRONMENTS,
    HOLDS,
    ON_POSTGRESQL,
    POSTGRESQL_SETUP,
    Kind,
    at_first_revision,
    body_of,
    check_what_is_told,
    held_by_postgresql,
    name_of,
)
from support.postgresql import psql
from support.sessions import others_commit, session

ENDINGS = {
    "exception": "raise RuntimeError('the end')",
    "lock timeout": "op.execute('INSERT INTO locked VALUES (1)')",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); op.execute('SELECT pg_sleep(20)')",
}
EVERY_CASE = [
    (env, ending, load) for env in ENVIRONMENTS for ending in ENDINGS for load in ("quiet", "busy")
]
FEW_CASES = [
    ("own", "exception", "quiet"),
    ("foreign", "lock timeout", "busy"),
    ("single", "exception", "busy"),
]
CASES = [
    (kind, case)
    for number, kind in enumerate(ON_POSTGRESQL)
    for case in (EVERY_CASE if IS_FULL else in_turn(FEW_CASES, number, 1))
]
#: Where it is told that something may stay although nothing does.
WITHOUT_NEED = {
    "a second engine that reads: quiet",
    "a second engine that reads: busy",
    "a second engine that rolls back: quiet",
    "a second engine that rolls back: busy",
    "a typed COMMIT of nothing: busy",
    "a raw rollback: busy",
    "a VACUUM: quiet",
    "a VACUUM: busy",
    "a SELECT outside a transaction: busy",
}


@pytest.mark.parametrize(("kind", "case"), CASES, ids=name_of)
def test_what_stays_is_neither_told_as_rolled_back_nor_tried_again(
    kind: Kind,
    case: tuple[str, str, str],
    make_app: MakeApp,
    postgresql_server: str,
    postgresql_url: str,
    tmp_path: Path,
) -> None:
    env, ending, load = case
    env_py, settings = ENVIRONMENTS[env]
    given = f"URL, PSQL = {postgresql_url!r}, {psql()!r}"
    body = body_of(kind, ENDINGS[ending], tmp_path, given, "SETS = [{'n': n} for n in (2, 1, 0)]")
    settings = {"migrate.lock_timeout": "0.1", **settings}
    ini = at_first_revision(make_app, postgresql_url, body, env_py, settings)
    change(postgresql_url, *POSTGRESQL_SETUP)
    before = held_by_postgresql(postgresql_url)
    with (
        others_commit(postgresql_server) if load == "busy" else nullcontext(),
        session(postgresql_url, *HOLDS),
    ):
        result = (run if ending == "SIGTERM" else invoke)(ini, "upgrade")
    assert heads(postgresql_url) == {"aaa111"}
    check_what_is_told(
        result,
        tmp_path,
        stays=held_by_postgresql(postgresql_url) != before,
        may_err=f"{kind.name}: {load}" in WITHOUT_NEED,
        passing="canceling statement due to lock timeout",
    )

"""What a failed revision has left is told as it is: many kinds, each ended in three ways."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from textwrap import indent

import psycopg2
import pytest
from support.command import invoke, run
from support.database import change, heads
from support.faults import IS_FULL
from support.history import MakeApp, Revision
from support.leftovers import (
    HOLDS,
    ON_POSTGRESQL,
    POSTGRESQL_SETUP,
    Kind,
    held_by_postgresql,
    in_turn,
    name_of,
)
from support.postgresql import psql
from support.processes import write_env
from support.sessions import session

ENDINGS = {
    "exception": "raise RuntimeError('the end')",
    "lock timeout": "op.execute('INSERT INTO locked VALUES (1)')",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); op.execute('SELECT pg_sleep(20)')",
}
FOREIGN = """\
from alembic import context
from sqlalchemy import create_engine
url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url.replace("postgresql://", "postgresql+psycopg2://")).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
EVERY_CASE = [
    (env, ending, load)
    for env in ("own", "foreign", "single")
    for ending in ENDINGS
    for load in ("quiet", "busy")
]
FEW_CASES = [
    ("own", "exception", "quiet"),
    ("foreign", "lock timeout", "busy"),
    ("single", "exception", "busy"),
]
CASES = [
    (kind, case)
    for number, kind in enumerate(ON_POSTGRESQL)
    for case in (EVERY_CASE if IS_FULL else in_turn(FEW_CASES, number, 2))
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
    ini = make_app(
        postgresql_url,
        [
            Revision("aaa111"),
            Revision("bbb222", "aaa111", upgrade=code(kind, case, tmp_path, postgresql_url)),
        ],
        {"migrate.lock_timeout": "0.1", "migrate.retries": "1"}
        | ({"migrate.transaction": "single"} if env == "single" else {}),
    )
    if env == "foreign":
        write_env(ini, FOREIGN)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    change(postgresql_url, *POSTGRESQL_SETUP)
    before = held_by_postgresql(postgresql_url)
    start = run if ending == "SIGTERM" else invoke
    with (
        others_commit(postgresql_server) if load == "busy" else nullcontext(),
        session(postgresql_url, *HOLDS),
    ):
        result = start(ini, "upgrade")
    stays = held_by_postgresql(postgresql_url) != before
    is_told = " Of bbb222, " in result.stderr or "Left invalid" in result.stderr
    tries = len((tmp_path / "tries").read_text())

    assert heads(postgresql_url) == {"aaa111"}
    is_stopped = "Terminated" in result.stderr
    assert result.returncode == (143 if is_stopped else 9 if is_told else 1), result.stderr
    if stays:
        assert is_told, result.stderr
        assert tries == 1, result.stderr
    elif f"{kind.name}: {load}" not in WITHOUT_NEED:
        assert not is_told, result.stderr
        assert tries == (2 if "canceling statement due to lock timeout" in result.stderr else 1)


def code(kind: Kind, case: tuple[str, str, str], folder: Path, url: str) -> str:
    """Return the body of the revision's upgrade."""
    lines = [
        "import os, signal",
        f"URL, PSQL = {url!r}, {psql()!r}",
        "SETS = [{'n': n} for n in (2, 1, 0)]",
        f"with open({str(folder / 'tries')!r}, 'a') as tries: tries.write('x')",
        kind.body.replace("END", ENDINGS[case[1]]),
    ]
    return indent("\n".join(lines), "    ")


@contextmanager
def others_commit(url: str) -> Iterator[None]:
    """Let another session of the server commit all the time."""
    stop = threading.Event()

    def work() -> None:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not stop.wait(0.002):
                cursor.execute("SELECT txid_current()")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

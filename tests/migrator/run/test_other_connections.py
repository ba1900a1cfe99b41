"""Other ways to a database are heard of, and all is as before afterwards."""

import gc
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import create_engine
from support.sessions import backends

from myapp.migrator.base.our_own import connecting_for_ourselves
from myapp.migrator.database.blockers import OwnSession
from myapp.migrator.run.other_connections import Others


@pytest.fixture
def others() -> Iterator[Others]:
    others = Others()
    with others.listening():
        others.begin_revision()
        yield others


def used(others: Others, *files: str) -> bool:
    return others.were_used(files=frozenset(files))


def test_nothing_was_used_where_nothing_was_opened(others: Others) -> None:
    Path(__file__).read_text()
    assert not used(others)


def test_a_connection_of_psycopg2_is_heard_of(postgresql_url: str, others: Others) -> None:
    psycopg2.connect(postgresql_url).close()
    assert used(others)


def test_so_is_one_in_another_thread_but_not_one_of_our_own(
    postgresql_url: str, others: Others
) -> None:
    def connect_for_us() -> None:
        with connecting_for_ourselves():
            psycopg2.connect(postgresql_url).close()

    ours = threading.Thread(target=connect_for_us)
    ours.start()
    ours.join()
    assert not used(others)
    theirs = threading.Thread(target=lambda: psycopg2.connect(postgresql_url).close())
    theirs.start()
    theirs.join()
    assert used(others)


def test_a_connection_that_nobody_keeps_is_closed_as_ever(
    postgresql_url: str, others: Others
) -> None:
    psycopg2.connect(postgresql_url, application_name="dropped")
    gc.collect()
    assert backends(postgresql_url, "application_name = 'dropped'") == []
    assert used(others)


def test_one_that_stays_open_counts_for_the_next_revision_too(
    postgresql_url: str, others: Others
) -> None:
    with closing(psycopg2.connect(postgresql_url)):
        others.begin_revision()
        assert used(others)
    others.begin_revision()
    assert not used(others)


def test_a_connection_out_of_a_pool_is_heard_of(postgresql_url: str, others: Others) -> None:
    engine = create_engine(postgresql_url.replace("postgresql:", "postgresql+psycopg2:"))
    engine.raw_connection().close()
    others.begin_revision()
    assert not used(others)
    engine.raw_connection().close()
    assert used(others)
    engine.dispose()


@pytest.mark.parametrize("spelling", ["{}", "file:{}?mode=rwc", "{}/../other.sqlite"])
def test_an_sqlite_file_is_heard_of_by_its_real_path(
    others: Others, tmp_path: Path, spelling: str
) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / ("folder" if ".." in spelling else "other.sqlite")
    sqlite3.connect(spelling.format(path), uri=True).close()
    assert used(others)
    assert not used(others, str(tmp_path / "other.sqlite"))


def test_the_sessions_that_are_open_are_known_as_their_server_lists_them(
    postgresql_url: str, others: Others, tmp_path: Path
) -> None:
    engine = create_engine(postgresql_url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect() as connection, closing(psycopg2.connect(postgresql_url)):
        with connecting_for_ourselves():
            ours = psycopg2.connect(postgresql_url)
        create_engine(f"sqlite:///{tmp_path}/test.sqlite").raw_connection().close()
        listed = connection.exec_driver_sql(
            "SELECT pid, datname, usename, application_name FROM pg_stat_activity"
            f" WHERE datname = current_database() AND pid <> {ours.info.backend_pid}"
        )
        assert others.sessions() == {OwnSession(*row) for row in listed}
        assert len(others.sessions()) == 2
        ours.close()
    engine.dispose()
    assert others.sessions() == set()


def test_a_database_in_memory_is_no_other(others: Others) -> None:
    sqlite3.connect(":memory:").close()
    assert not used(others)


def test_a_program_is_heard_of(others: Others) -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert used(others)


def test_what_came_before_a_revision_or_after_it_is_not_its_own(
    others: Others, tmp_path: Path
) -> None:
    sqlite3.connect(tmp_path / "other.sqlite").close()
    others.begin_revision()
    others.end_revision()
    sqlite3.connect(tmp_path / "other.sqlite").close()
    assert not used(others)


def test_nothing_stays_replaced_afterwards() -> None:
    before = psycopg2.connect
    with Others().listening():
        assert psycopg2.connect is not before
    assert psycopg2.connect is before

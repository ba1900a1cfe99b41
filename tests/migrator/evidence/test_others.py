"""Other ways to a database are heard of, and all is as before afterwards."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import psycopg2
import pytest

from myapp.migrator.evidence.others import Others, connecting_for_ourselves


@pytest.fixture
def others() -> Others:
    return Others()


def used(others: Others) -> bool:
    return others.were_used(known=[], files=set())


def test_nothing_was_used_where_nothing_was_opened(others: Others) -> None:
    with others.listening():
        Path(__file__).read_text()
    assert not used(others)


def test_a_connection_of_psycopg2_is_heard_of_unless_it_is_known(
    others: Others, postgresql_url: str
) -> None:
    with others.listening():
        connection = psycopg2.connect(postgresql_url)
    connection.close()
    assert used(others)
    assert not others.were_used(known=[connection], files=set())


def test_so_is_one_in_another_thread_but_not_one_of_our_own(
    others: Others, postgresql_url: str
) -> None:
    def connect_for_us() -> None:
        with connecting_for_ourselves():
            psycopg2.connect(postgresql_url).close()

    with others.listening():
        ours = threading.Thread(target=connect_for_us)
        ours.start()
        ours.join()
        assert not used(others)
        theirs = threading.Thread(target=lambda: psycopg2.connect(postgresql_url).close())
        theirs.start()
        theirs.join()
    assert used(others)


@pytest.mark.parametrize("spelling", ["{}", "file:{}?mode=rwc", "{}/../other.sqlite"])
def test_an_sqlite_file_is_heard_of_by_its_real_path(
    others: Others, tmp_path: Path, spelling: str
) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / ("folder" if ".." in spelling else "other.sqlite")
    with others.listening():
        sqlite3.connect(spelling.format(path), uri=True).close()
    assert used(others)
    assert not others.were_used(known=[], files={str(tmp_path / "other.sqlite")})


def test_a_program_is_heard_of(others: Others) -> None:
    with others.listening():
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert used(others)


def test_what_came_before_a_revision_is_forgotten(others: Others, tmp_path: Path) -> None:
    with others.listening():
        sqlite3.connect(tmp_path / "other.sqlite").close()
        others.begin_revision()
    assert not used(others)


def test_nothing_is_heard_and_nothing_stays_replaced_afterwards(
    others: Others, postgresql_url: str, tmp_path: Path
) -> None:
    before = psycopg2.connect
    with others.listening():
        assert psycopg2.connect is not before
    assert psycopg2.connect is before
    psycopg2.connect(postgresql_url).close()
    sqlite3.connect(tmp_path / "other.sqlite").close()
    assert not used(others)

"""What a server tells of a run, asked on the connection that holds the lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg2
import pytest
from support.history import MakeApp
from support.invalid_indexes import leave_invalid, two_alike
from support.processes import until
from support.sessions import Connection, session

from myapp.migrator.base.canceller import Canceller
from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.database.blockers import OwnSession
from myapp.migrator.database.invalid_indexes import InvalidIndex
from myapp.migrator.lock import Lock, writer_lock
from myapp.migrator.run.observer import Observer
from myapp.migrator.settings.settings import load_settings


@contextmanager
def held(make_app: MakeApp, url: str) -> Iterator[Lock]:
    config = build_context(load_settings(str(make_app(url))), canceller=Canceller())
    with writer_lock(config, lambda sentence: None) as lock:
        yield lock


def test_where_no_server_keeps_the_lock_nothing_is_seen(make_app: MakeApp, sqlite_url: str) -> None:
    with held(make_app, sqlite_url) as lock:
        observer = Observer(lock, 5.0)
        with observer.watching():
            observer.follow(None)
            assert observer.blockers() == ()
            assert observer.invalid_indexes() == frozenset()
            assert observer.committed_since(1, 1) is None


def test_it_sees_the_indexes_that_are_left_invalid(make_app: MakeApp, postgresql_url: str) -> None:
    with held(make_app, postgresql_url) as lock:
        observer = Observer(lock, 5.0)
        assert observer.invalid_indexes() == frozenset()
        two_alike(postgresql_url, "a")
        leave_invalid(postgresql_url, '"Odd"', "a")
        assert observer.invalid_indexes() == {InvalidIndex('"Odd"', "a")}


def test_it_counts_what_was_committed_once_a_session_has_ended(
    make_app: MakeApp, postgresql_url: str
) -> None:
    with held(make_app, postgresql_url) as lock:
        observer = Observer(lock, 5.0)
        with session(postgresql_url) as lost:
            cursor = lost.cursor()
            cursor.execute("SELECT pg_backend_pid(), txid_current()")
            pid, transaction = cursor.fetchone()
            cursor.execute("CREATE TABLE a (x int)")
            lost.commit()
            # It still is there, so nobody knows what it may commit.
            assert observer.committed_since(transaction, pid) is None
        counted = observer.committed_since(transaction, pid)
        assert counted is not None
        assert counted >= 1


def test_it_sees_who_blocks_the_process_that_it_follows(
    make_app: MakeApp, postgresql_url: str
) -> None:
    statements = ["CREATE TABLE a (x int)"]
    with held(make_app, postgresql_url) as lock, session(postgresql_url, *statements) as blocker:
        blocker.commit()
        blocker.cursor().execute("LOCK TABLE a")
        observer = Observer(lock, 0.2)
        with session(postgresql_url) as run, observer.watching():
            observer.follow(run.info.backend_pid)
            observer.follow(None)  # a transaction of which the process isn't known
            run.cursor().execute("SET lock_timeout = '2s'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                run.cursor().execute("SELECT * FROM a")
            seen = observer.blockers()
        assert [each.pid for each in seen] == [blocker.info.backend_pid]


def test_it_sees_that_one_session_of_the_run_blocks_another_and_frees_it(
    make_app: MakeApp, postgresql_url: str
) -> None:
    statements = ["CREATE TABLE a (x int)", "COMMIT", "BEGIN", "LOCK TABLE a"]
    with held(make_app, postgresql_url) as lock, session(postgresql_url, *statements) as first:
        observer = Observer(lock, 5.0)
        with session(postgresql_url) as second, observer.watching():
            own = {own_session(first), own_session(second)}
            observer.own_sessions = lambda: own
            with pytest.raises(psycopg2.errors.QueryCanceled):
                second.cursor().execute("SELECT * FROM a")
            assert observer.has_blocked_itself
            assert [each.pid for each in observer.blockers()] == [first.info.backend_pid]
            observer.forget()
            assert not observer.has_blocked_itself


def own_session(connection: Connection) -> OwnSession:
    info = connection.info
    return OwnSession(info.backend_pid, info.dbname, info.user, "shop")


def test_a_session_of_the_same_pid_on_another_server_is_not_taken_for_the_runs_own(
    make_app: MakeApp, postgresql_url: str
) -> None:
    statements = ["CREATE TABLE a (x int)", "COMMIT", "BEGIN", "LOCK TABLE a"]
    with held(make_app, postgresql_url) as lock, session(postgresql_url, *statements) as first:
        observer = Observer(lock, 0.2)
        with session(postgresql_url) as second, observer.watching():
            other = replace(own_session(first), application_name="theirs")
            observer.own_sessions = lambda: {other}
            observer.follow(second.info.backend_pid)
            second.cursor().execute("SET lock_timeout = '3s'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                second.cursor().execute("SELECT * FROM a")
            assert not observer.has_blocked_itself
            assert [each.pid for each in observer.blockers()] == [first.info.backend_pid]


def test_a_lost_connection_of_the_lock_is_opened_anew(
    make_app: MakeApp, postgresql_url: str
) -> None:
    with held(make_app, postgresql_url) as lock:
        observer = Observer(lock, 5.0)
        with session(postgresql_url) as administrator:
            administrator.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'alembic%'"
            )
        until(lambda: lock.ask(lambda c: c.exec_driver_sql("SELECT 1").scalar()) == 1)
        assert observer.invalid_indexes() == frozenset()

"""Other sessions of a PostgreSQL database, as an application or an administrator has them."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote, urlsplit

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 # it is a class

from support import postgresql
from support.database import rows
from support.processes import until

#: What a revision waits at, until the test lets it through.
GATE = 4242
AT_GATE = f"op.execute('SELECT pg_advisory_xact_lock({GATE})')"


@contextmanager
def session(url: str, *statements: str, name: str = "shop") -> Iterator[Connection]:
    """Open a session with an open transaction in which `statements` have run."""
    connection = psycopg2.connect(url, application_name=name)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        yield connection
    finally:
        connection.close()


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


@contextmanager
def gate(url: str) -> Iterator[None]:
    """Keep every revision that comes to the gate waiting."""
    with session(url, f"SELECT pg_advisory_lock({GATE})", name="gate"):
        yield


def until_at_gate(url: str) -> None:
    """Wait until a revision has come to the gate."""
    until(lambda: _waiting(url, "%pg_advisory_xact_lock(4242)%"))


def until_running(url: str, pattern: str) -> None:
    """Wait until a statement like `pattern` runs."""
    until(lambda: _active(url, pattern))


def is_running(url: str, pattern: str) -> bool:
    return bool(_active(url, pattern))


def backends(url: str, query: str) -> list[int]:
    """Return the pids of this database's sessions that match a condition on pg_stat_activity."""
    found = rows(
        url,
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        f" AND pid <> pg_backend_pid() AND ({query.replace('%', '%%')})",
    )
    return [pid for (pid,) in found]


def lock_backends(url: str) -> list[int]:
    """Return the pids of the sessions that hold a run's lock, and run nothing."""
    return backends(
        url,
        "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'"
        f" AND granted AND objid <> {GATE})",
    )


def terminate(url: str, *pids: int) -> None:
    for pid in pids:
        postgresql.execute(url, f"SELECT pg_terminate_backend({pid}, 5000)")


@contextmanager
def plain_user(admin_url: str, url: str) -> Iterator[str]:
    """Yield `url` for a user without any privilege but to use and fill the schema public."""
    name = "plain_" + urlsplit(url).path.strip("/")
    postgresql.execute(
        url,
        f"CREATE ROLE {name} LOGIN PASSWORD '{postgresql.PASSWORD}'",
        f"GRANT ALL ON SCHEMA public TO {name}",
    )
    try:
        password = quote(postgresql.PASSWORD, safe="")
        yield url.replace(f"{postgresql.USER}:{password}@", f"{name}:{password}@")
    finally:
        postgresql.execute(url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def _active(url: str, pattern: str) -> list[int]:
    literal = pattern.replace("'", "''")
    return backends(url, f"state = 'active' AND query LIKE '{literal}'")


def _waiting(url: str, pattern: str) -> list[int]:
    return backends(url, f"wait_event_type = 'Lock' AND query LIKE '{pattern}'")

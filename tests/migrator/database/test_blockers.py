"""Who keeps a migration waiting, told without anyone's data."""

import time
from datetime import timedelta

from sqlalchemy import NullPool, create_engine, event
from support.command import invoke
from support.history import MakeApp, Revision, create_table
from support.processes import until
from support.sessions import plain_user, session

from myapp.migrator.database.blockers import Blocker, BlockerWatch


def test_a_blocker_is_told_in_a_line() -> None:
    blocker = Blocker(7, "shop", "ann", "active", timedelta(seconds=3.6), "SELECT ?")
    assert str(blocker) == "pid 7 (shop, user ann; active for 4 s): SELECT ?"
    nameless = Blocker(7, "", "", "", timedelta(seconds=3), "autovacuum: VACUUM a")
    assert str(nameless) == "pid 7 (at work for 3 s): autovacuum: VACUUM a"
    wordless = Blocker(7, "shop", "ann", "active", timedelta(seconds=3), "")
    assert str(wordless) == "pid 7 (shop, user ann; active for 3 s)"


def test_the_watch_connects_for_a_revision_that_takes_long_and_for_no_other(
    postgresql_url: str,
) -> None:
    url = postgresql_url.replace("postgresql:", "postgresql+psycopg2:", 1)
    engine = create_engine(url, poolclass=NullPool)
    connected = []
    event.listen(engine, "connect", lambda *_: connected.append(True))
    watch = BlockerWatch(engine, lambda: None, 0.6)
    with watch.watching():
        start = time.monotonic()
        while time.monotonic() < start + 1.5:
            watch.take()
            time.sleep(0.01)
        assert connected == []
        until(lambda: connected)


def test_a_user_who_may_not_see_the_blockers_session_is_told_what_to_grant(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    line = [
        Revision("aaa111", **create_table("a")),
        Revision("bbb222", "aaa111", upgrade="op.execute('ALTER TABLE a ADD y int')"),
    ]
    settings = {"migrate.lock_timeout": "0.3", "migrate.retries": "1"}
    with plain_user(postgresql_server, postgresql_url) as plain_url:
        ini = make_app(plain_url, line, settings)
        assert invoke(ini, "upgrade", "aaa111").returncode == 0
        with session(postgresql_url, "SELECT * FROM a") as reader:
            result = invoke(ini, "upgrade")
            pid = reader.info.backend_pid
    assert result.returncode == 1
    told = f"pid {pid} (shop, user deploy; for more, GRANT pg_read_all_stats to this user)"
    assert f"blocked by {told}\n" in result.stderr
    assert f"Blocked by {told}.\n" in result.stderr

"""Where a database stands, for those who ask at every request."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import alembic.command
import pytest
from support.database import connection_to
from support.history import Revision, add_revision, create_table, make_history
from support.ini import MakeIni
from support.proxy import Proxy
from support.web import configured

from myapp.migrator.config import alembic_config
from myapp.migrator.pyramid.given import standing_of
from myapp.migrator.pyramid.standing import Standing

LINE = [
    Revision("aaa111", None, "Create a", **create_table("a")),
    Revision("bbb222", "aaa111", "Create b", **create_table("b")),
]


@pytest.fixture
def proxy(postgresql_url: str) -> Iterator[Proxy]:
    """A proxy before an empty database, which counts the connections."""
    with closing(Proxy(postgresql_url)) as proxy:
        yield proxy


@pytest.fixture
def ini(proxy: Proxy, tmp_path: Path, make_ini: MakeIni) -> Path:
    make_history(tmp_path / "migrations", LINE)
    return make_ini({"sqlalchemy.url": proxy.url, "alembic.script_location": "migrations"})


def standing(ini: Path, proxy: Proxy, on_pending: str) -> Standing:
    app: Any = configured(
        {
            "__file__": str(ini),
            "sqlalchemy.url": proxy.url,
            "alembic.script_location": "migrations",
            "migrate.on_pending": on_pending,
        }
    )
    return standing_of(app.app.registry)


def upgrade(ini: Path) -> None:
    alembic.command.upgrade(alembic_config(ini), "heads")


def test_at_the_heads_nobody_asks_any_more(ini: Path, proxy: Proxy) -> None:
    upgrade(ini)
    asked = standing(ini, proxy, "warn")
    opened = proxy.opened
    time.sleep(1.1)
    assert [asked.latest().state for _ in range(100)] == ["ok"] * 100
    assert proxy.opened == opened


def test_what_is_pending_is_asked_for_once_a_second(ini: Path, proxy: Proxy) -> None:
    asked = standing(ini, proxy, "page")
    opened = proxy.opened
    assert asked.settled_until == 0
    assert {asked.latest().state for _ in range(100)} == {"pending"}
    assert proxy.opened == opened
    time.sleep(1.1)
    assert {asked.latest().state for _ in range(100)} == {"pending"}
    assert proxy.opened == opened + 1


def test_in_development_a_new_file_is_seen_within_a_second(ini: Path, proxy: Proxy) -> None:
    upgrade(ini)
    asked = standing(ini, proxy, "page")
    assert asked.latest().state == "ok"
    add_revision(ini.parent / "migrations", Revision("ccc333", "bbb222", "Create c"))
    time.sleep(1.1)
    assert [revision.title for revision in asked.latest().pending] == ["ccc333 (Create c)"]


def test_in_development_a_downgrade_is_seen_and_nobody_waits_for_that(
    ini: Path, proxy: Proxy
) -> None:
    upgrade(ini)
    asked = standing(ini, proxy, "page")
    assert time.monotonic() < asked.settled_until
    alembic.command.downgrade(alembic_config(ini), "aaa111")
    time.sleep(1.1)
    assert time.monotonic() >= asked.settled_until
    assert asked.latest().state == "ok"
    while asked.latest().state == "ok":
        time.sleep(0.02)
    assert [revision.title for revision in asked.latest().pending] == ["bbb222 (Create b)"]


def test_in_development_a_server_that_hangs_is_seen_though_nobody_waits(
    ini: Path, proxy: Proxy, postgresql_url: str
) -> None:
    upgrade(ini)
    asked = standing(ini, proxy, "page")
    with connection_to(postgresql_url) as blocking:
        blocking.exec_driver_sql("LOCK alembic_version")
        time.sleep(1.1)
        assert asked.latest(0.5).state == "ok"  # the look is on its way
        time.sleep(0.25)
        proxy.is_swallowing = True  # nobody hears the server give it up
        deadline = time.monotonic() + 5
        while asked.latest(0.5).state == "ok" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert asked.latest(0.5).state == "unreachable"


def test_pending_revisions_come_in_the_order_in_which_they_are_applied(
    ini: Path, proxy: Proxy
) -> None:
    look = standing(ini, proxy, "warn").look()
    assert [revision.revision for revision in look.pending] == ["aaa111", "bbb222"]


def test_a_process_that_was_forked_asks_by_itself(ini: Path, proxy: Proxy) -> None:
    """Even while its parent has a question on its way. It has the revisions from its parent."""
    upgrade(ini)
    asked = standing(ini, proxy, "warn")
    proxy.is_swallowing = True
    assert asked.look(0.2).state == "unreachable"
    add_revision(ini.parent / "migrations", Revision("ccc333", "bbb222"))
    proxy.is_swallowing = False
    if not (child := os.fork()):
        os._exit({"ok": 0}.get(asked.look(5).state, 1))
    assert os.waitpid(child, 0)[1] == 0

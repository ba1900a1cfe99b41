"""A server that is stopped in mid-run, and started again."""

from collections.abc import Iterator

import pytest
from support import postgresql
from support.faults import Figure, Line, chance, finish, times, wipe, within
from support.history import MakeApp
from support.processes import Start


@pytest.fixture
def server() -> Iterator[postgresql.Server]:
    with postgresql.restartable_server() as server:
        yield server


def test_a_server_is_stopped_at_a_random_moment_and_started_again(
    server: postgresql.Server, make_app: MakeApp, start: Start, figure: Figure
) -> None:
    line = Line(150, with_indexes=True)
    url = server.admin_url
    ini = make_app(url, line.revisions())
    moments, stops = chance("server"), times(2, 30)
    ends: dict[int, int] = {}
    for _ in range(stops):
        process = start(ini, "upgrade")
        within(process, moments, line)
        server.stop()
        result = process.finish()
        assert result.returncode in (0, 5, 6, 9), result.stderr
        assert "Traceback" not in result.stderr, result.stderr
        ends[result.returncode] = ends.get(result.returncode, 0) + 1
        server.start()
        line.check(url)
        finish(ini, line, url)
        wipe(url)
        process.close()
    told = ", ".join(f"{count} x exit {code}" for code, count in sorted(ends.items()))
    figure(f"server stopped: {stops} stops ({told}): 0 half-applied, all reruns reached head")


def test_a_run_with_a_wait_outlasts_a_restart_between_its_start_and_its_first_revision(
    server: postgresql.Server, make_app: MakeApp, start: Start
) -> None:
    line = Line(5)
    ini = make_app(server.admin_url, line.revisions())
    server.stop()
    process = start(ini, "upgrade", "--wait-db", "30")
    process.until_told("waiting for the database")
    server.start()
    assert process.finish().returncode == 0
    line.check_complete(server.admin_url)

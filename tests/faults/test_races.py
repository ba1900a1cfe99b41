"""Many deploys at once."""

import time

from support.database import rows
from support.faults import Figure, Line, times, wipe
from support.history import MakeApp
from support.processes import Start

PROCESSES = 16


def test_sixteen_processes_upgrade_one_empty_database_at_once(
    database_url: str, make_app: MakeApp, start: Start, figure: Figure
) -> None:
    kind = database_url.partition(":")[0]
    line = Line(50, with_indexes=kind == "postgresql")
    ini = make_app(database_url, line.revisions())
    rounds, longest, waited = times(1, 10), 0.0, 0
    for _ in range(rounds):
        begin = time.monotonic()
        processes = [start(ini, "upgrade") for _ in range(PROCESSES)]
        results = [process.finish(120) for process in processes]
        longest = max(longest, time.monotonic() - begin)
        assert [result.returncode for result in results] == [0] * PROCESSES, results
        line.check_complete(database_url)
        assert rows(database_url, "SELECT count(*) FROM ran") == [(50,)]
        told = [result.stderr.count("[") for result in results]
        assert sum(told) == 50  # each revision was told by one process only
        waited += sum("waiting for another run" in result.stderr for result in results)
        wipe(database_url)
    figure(
        f"race, {kind}: {rounds} x {PROCESSES} processes, 50 revisions: each applied once, all"
        f" {rounds * PROCESSES} exit 0, {waited} waited for the lock; longest round {longest:.1f} s"
    )

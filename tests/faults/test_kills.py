"""A run that is cut off at a random moment, then run again."""

import signal
import time
from pathlib import Path

from support.command import run
from support.database import rows
from support.faults import Figure, Line, chance, finish, times, wipe, within
from support.history import MakeApp
from support.processes import Start, seconds_of, until
from support.sessions import backends, terminate

MIGRATIONS = "application_name LIKE 'myapp-migrate %'"


def duration(ini: Path, url: str) -> float:
    """Return how long an undisturbed run takes, and undo it."""
    run(ini, "heads")  # compiles the files
    seconds = seconds_of(lambda: run(ini, "upgrade"))
    wipe(url)
    return seconds


def test_a_run_is_killed_at_a_random_moment(
    database_url: str, make_app: MakeApp, start: Start, figure: Figure
) -> None:
    kind = database_url.partition(":")[0]
    line = Line(30, with_indexes=True) if kind == "postgresql" else Line(200)  # it takes less time
    ini = make_app(database_url, line.revisions())
    moments, kills, midway = chance(f"kill {kind}"), times(4, 200), 0
    whole, slowest = duration(ini, database_url), 0.0
    for number in range(kills):
        process = start(ini, "upgrade")
        if number % 4 == 0:  # while it starts, or wherever it has come to
            time.sleep(moments.uniform(0, whole))
        else:
            within(process, moments, line)
        process.signal(signal.SIGKILL)
        process.finish()
        if kind == "postgresql":
            until(lambda: not backends(database_url, MIGRATIONS), 5)
        midway += 0 < line.check(database_url) < line.length
        slowest = max(slowest, finish(ini, line, database_url))
        wipe(database_url)
        process.close()
    assert midway
    figure(
        f"kill -9, {kind}: {kills} kills, {midway} between the first and the last of"
        f" {line.length} revisions: 0 half-applied, all reruns reached head, the slowest in"
        f" {slowest:.1f} s"
    )


def test_the_lock_of_a_killed_run_is_soon_free(
    postgresql_url: str, make_app: MakeApp, start: Start, figure: Figure
) -> None:
    from support.history import Revision
    from support.sessions import until_running

    sleeping = Revision("aaa111", upgrade="op.execute('SELECT pg_sleep(600)')")
    ini = make_app(postgresql_url, [sleeping])
    taken = []
    for _ in range(times(2, 20)):
        process = start(ini, "upgrade")
        until_running(postgresql_url, "SELECT pg_sleep%")
        time.sleep(0.1)
        process.signal(signal.SIGKILL)
        taken.append(seconds_of(lambda: until(lambda: not backends(postgresql_url, MIGRATIONS))))
        process.finish()
        process.close()
    assert max(taken) < 3
    figure(
        f"killed in mid-statement: {len(taken)} times, lock free and statement ended after"
        f" {sum(taken) / len(taken):.1f} s, at most {max(taken):.1f} s"
    )


def test_a_connection_is_cut_at_a_random_moment(
    postgresql_url: str, make_app: MakeApp, start: Start, figure: Figure
) -> None:
    line = Line(150, with_indexes=True)
    ini = make_app(postgresql_url, line.revisions())
    moments, cuts = chance("cut"), times(3, 50)
    ends: dict[int, int] = {}
    for _ in range(cuts):
        process = start(ini, "upgrade")
        within(process, moments, line)
        found = backends(postgresql_url, MIGRATIONS)
        terminate(postgresql_url, *moments.sample(found, min(1, len(found))))
        result = process.finish()
        assert result.returncode in (0, 1, 5, 6, 9), result.stderr
        assert "Traceback" not in result.stderr
        assert result.returncode == 0 or "stands" in result.stderr
        ends[result.returncode] = ends.get(result.returncode, 0) + 1
        line.check(postgresql_url)
        finish(ini, line, postgresql_url)
        wipe(postgresql_url)
        process.close()
    told = ", ".join(f"{count} x exit {code}" for code, count in sorted(ends.items()))
    figure(f"connection cut: {cuts} cuts ({told}): 0 half-applied, all reruns reached head")
    assert rows(postgresql_url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [
        (0,)
    ]

"""What the fault tests share: how often they strike, and a history in which a strike shows."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.command import run
from support.database import connection_to, rows
from support.history import Revision
from support.processes import Process, until

IS_FULL = os.environ.get("MYAPP_FAULTS") == "full"
#: The order of random moments is the same in every run of the tests.
SEED = int(os.environ.get("MYAPP_FAULTS_SEED", "20250101"))

Figure = Callable[[str], None]


def times(few: int, full: int) -> int:
    """Return how often to strike: `few` times, or `full` with MYAPP_FAULTS=full."""
    return full if IS_FULL else few


def chance(name: str) -> random.Random:
    """Return the source of this test's random moments."""
    return random.Random(f"{SEED} {name}")


@dataclass(frozen=True)
class Line:
    """A line of revisions, each of which makes two tables and notes that it ran.

    On PostgreSQL every fifth also builds an index outside a transaction, in a way that can be run
    again after it was cut off.
    """

    length: int
    with_indexes: bool = False

    @property
    def head(self) -> str:
        return _id(self.length - 1)

    def revisions(self) -> list[Revision]:
        return [self._revision(number) for number in range(self.length)]

    def _revision(self, number: int) -> Revision:
        lines = ["op.execute('CREATE TABLE ran (number int)')"] if number == 0 else []
        if self.with_indexes and number % 5 == 4:
            lines += [
                "with op.get_context().autocommit_block():",
                f"    op.execute('DROP INDEX CONCURRENTLY IF EXISTS ix{number}')",
                f"    op.execute('CREATE INDEX CONCURRENTLY ix{number} ON first{number - 1} (id)')",
                f"op.execute('INSERT INTO ran VALUES ({number})')",
            ]
        else:
            lines += [
                f"op.execute('CREATE TABLE first{number} (id int)')",
                f"op.execute('INSERT INTO ran VALUES ({number})')",
                f"op.execute('CREATE TABLE second{number} (id int)')",
            ]
        return Revision(
            _id(number), _id(number - 1) if number else None, "step", upgrade="\n".join(lines)
        )

    def check(self, url: str) -> int:
        """Return how many revisions are applied; fail when one is applied by half, or twice."""
        names = _tables(url)
        standing = rows(url, "SELECT version_num FROM alembic_version") if names[0] else []
        applied = int(standing[0][0][1:]) + 1 if standing else 0
        transactional = [n for n in range(self.length) if not (self.with_indexes and n % 5 == 4)]
        expected = {
            f"{part}{number}"
            for number in transactional
            if number < applied
            for part in ("first", "second")
        }
        assert names[1] == expected, f"half-applied: at {applied}, {names[1] ^ expected}"
        ran = [row[0] for row in rows(url, "SELECT number FROM ran")] if applied else []
        assert sorted(ran) == list(range(applied))
        return applied

    def check_complete(self, url: str) -> None:
        assert self.check(url) == self.length
        if self.with_indexes:
            valid = rows(
                url,
                "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid"
                " WHERE indisvalid AND starts_with(relname, 'ix')",
            )
            assert valid == [(self.length // 5,)]


def finish(ini: Path, line: Line, url: str) -> float:
    """Run again to the head, as the next deploy does; return the seconds that it took."""
    import time

    begin = time.monotonic()
    result = run(ini, "upgrade", "--wait-db", "30", timeout=120)
    assert result.returncode == 0, result.stderr
    line.check_complete(url)
    return time.monotonic() - begin


def wipe(url: str) -> None:
    """Leave an empty database."""
    with connection_to(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
            return
    path = Path(url.removeprefix("sqlite:///"))
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()


def was_applying(process: Process) -> bool:
    """Tell whether it has told of a revision, and not yet of the last."""
    return "[1/" in process.stderr and process.is_running


def _id(number: int) -> str:
    return f"r{number:04}"


def _tables(url: str) -> tuple[bool, set[str]]:
    with connection_to(url) as connection:
        query = (
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            if connection.dialect.name == "postgresql"
            else "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
        found = {row[0] for row in connection.exec_driver_sql(query)}
    return "alembic_version" in found, found - {"alembic_version", "ran"}


def within(process: Process, moments: random.Random, line: Line) -> None:
    """Wait until a run has told of a revision that is not its last, and a moment longer."""
    told = f"[{moments.randint(1, line.length - 5)}/"
    until(lambda: told in process.stderr or not process.is_running)
    time.sleep(moments.uniform(0, 0.01))

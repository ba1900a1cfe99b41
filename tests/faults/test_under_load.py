"""What an application feels of an ALTER TABLE that a long transaction keeps waiting."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from support import postgresql
from support.database import change, heads
from support.faults import IS_FULL, Figure
from support.history import MakeApp, Revision
from support.processes import Process, Start
from support.sessions import session

ALTER = "ALTER TABLE orders ADD COLUMN note text"
THREADS = 4


class Application:
    """Reads and writes rows of a table in several threads, and keeps the time that each took."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self.latencies: list[float] = []

    @contextmanager
    def working(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._work, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    @property
    def worst(self) -> float:
        return max(self.latencies)

    def _work(self, number: int) -> None:
        with closing(psycopg2.connect(self._url)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            while not self._stop.wait(0.005):
                begin = time.monotonic()
                cursor.execute("SELECT amount FROM orders WHERE id = %s", (number,))
                cursor.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s", (number,))
                self.latencies.append(time.monotonic() - begin)


def worst_latency(url: str, seconds: float, migrate: threading.Thread) -> tuple[float, int]:
    """Return the worst that the application saw, and how often it asked."""
    application = Application(url)
    with application.working():
        time.sleep(0.3)
        with session(url, "SELECT count(*) FROM orders", name="report"):
            migrate.start()
            time.sleep(seconds)
        migrate.join()
        time.sleep(0.3)
    return application.worst, len(application.latencies)


def test_the_applications_own_queries_do_not_queue_up_behind_a_migration(
    postgresql_url: str, make_app: MakeApp, start: Start, figure: Figure
) -> None:
    change(
        postgresql_url,
        "CREATE TABLE orders (id int PRIMARY KEY, amount int DEFAULT 0)",
        "INSERT INTO orders SELECT generate_series(0, 9)",
    )
    plain = threading.Thread(target=postgresql.execute, args=(postgresql_url, ALTER))
    short, long = (20.0, 60.0) if IS_FULL else (3.0, 4.0)
    without, _ = worst_latency(postgresql_url, short, plain)
    assert without > short - 1
    told = [f"{without:.2f} s with plain ALTER TABLE behind {short:g} s"]
    settings: list[dict[str, str]] = [{}]
    if IS_FULL:
        settings += [{"migrate.lock_timeout": "1"}, {"migrate.lock_timeout": "5"}]
    ini = make_app(postgresql_url, [Revision("aaa111", upgrade=f"op.execute('{ALTER}')")])
    text = ini.read_text()
    for own in settings:
        change(postgresql_url, "ALTER TABLE orders DROP COLUMN note")
        change(postgresql_url, "DROP TABLE IF EXISTS alembic_version")
        ini.write_text(text + "".join(f"{key} = {value}\n" for key, value in own.items()))
        process = start(ini, "upgrade")
        process.signal(signal.SIGSTOP)  # it starts when the long transaction has

        def go(process: Process = process) -> None:
            process.signal(signal.SIGCONT)
            process.finish(120)

        worst, asked = worst_latency(postgresql_url, long, threading.Thread(target=go))
        result = process.finish()
        assert result.returncode == 0, result.stderr
        assert "blocked by pid " in result.stderr
        assert heads(postgresql_url) == {"aaa111"}
        tries = result.stderr.count("; try ") + 1
        # A busy machine adds to it; the figure is what counts.
        assert worst < float(own.get("migrate.lock_timeout", 0.15)) + 0.6
        named = ", ".join(f"{key} = {value}" for key, value in own.items()) or "the default"
        told.append(f"{worst:.2f} s with {named} ({tries} tries, {asked} requests)")
    figure(
        f"under load: an ALTER TABLE behind a transaction of {long:g} s, worst latency of the app:"
        f" {'; '.join(told)}"
    )

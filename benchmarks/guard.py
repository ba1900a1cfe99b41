"""Requests per second of the application with and without `myapp.migrator.pyramid`.

    python benchmarks/guard.py [URL]

The database is at the heads: an SQLite file, or the one at URL, which it migrates. Each request
asks for the page `/`, which reads the users, by a WSGI call in this process. Batches take turns
with and without, and the fastest of each counts, since all that slows it is another's. Both
applications are made anew for each round, and the median of the rounds counts: where their objects
lie in memory makes up to 2 %. With `page`, the processor's time for one look is taken off each
second: no request waits for a look. It ends with 1 if there are more than 2 % fewer.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import alembic.command
from pyramid.config import Configurator
from pyramid.request import Request

from myapp.migrator.config import alembic_config
from myapp.migrator.pyramid.given import standing_of

LIMIT = 0.02
#: Requests of a batch, batches of each application in a round, rounds, and looks.
BATCH, BATCHES, ROUNDS, LOOKS = 5, 60, 25, 20
INI = """\
[app:main]
use = egg:myapp
sqlalchemy.url = {url}
alembic.script_location = myapp:migrations
migrate.on_pending = page
"""


def application(ini: Path, url: str, on_pending: str | None) -> Any:
    """Return the application; without `on_pending`, it includes no part of the engine."""
    settings = {
        "sqlalchemy.url": url,
        "alembic.script_location": "myapp:migrations",
        "migrate.on_pending": on_pending,
    }
    with Configurator(settings=settings) as config:
        if on_pending is not None:
            config.include("myapp.migrator.pyramid")
            config.set_migration_settings({"__file__": str(ini)})
        config.include("myapp.models")
        config.include("myapp.views")
        return config.make_wsgi_app()


def seconds_of(app: Any) -> float:
    """Return how long a batch of requests takes."""
    start = time.perf_counter()
    for _ in range(BATCH):
        response = Request.blank("/", accept="text/html").get_response(app)
        if response.status_int != 200:
            raise SystemExit(f"the application answered {response.status}")
    return time.perf_counter() - start


def rounds(*makers: Callable[[], Any]) -> Iterator[list[float]]:
    """Yield how many requests a second each application answers at best, a round each."""
    for _ in range(ROUNDS):
        apps = [make() for make in makers]
        least = [float("inf")] * len(apps)
        for turn in range(BATCHES):
            for number in range(len(apps))[:: -1 if turn % 2 else 1]:
                least[number] = min(least[number], seconds_of(apps[number]))
        yield [BATCH / seconds for seconds in least]


def seconds_of_a_look(app: Any) -> float:
    """Return how much of the processor's time a look takes."""
    standing, found = standing_of(app.registry), []
    for _ in range(LOOKS):
        start = time.process_time()
        standing.look()
        found.append(time.process_time() - start)
    return median(found)


def main(arguments: list[str]) -> int:
    """Measure, print, and return the exit status."""
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        ini = Path(folder, "app.ini")
        url = arguments[0] if arguments else f"sqlite:///{folder}/app.sqlite"
        ini.write_text(INI.format(url=url.replace("%", "%%")))
        alembic.command.upgrade(alembic_config(ini), "heads")
        without = partial(application, ini, url, None)
        for on_pending in ("refuse", "page"):
            make = partial(application, ini, url, on_pending)
            look = seconds_of_a_look(make()) if on_pending == "page" else 0.0
            found = list(rounds(without, make))
            share = median(1 - after * (1 - look) / before for before, after in found)
            before = median(before for before, _ in found)
            print(
                f"{on_pending}: {before:,.0f} requests/s without, {before * (1 - share):,.0f} with:"
                f" {share:.1%} fewer, of which the look of each second has {look:.1%}"
            )
            status |= share > LIMIT
    return int(status)


if __name__ == "__main__":
    logging.disable()
    sys.exit(main(sys.argv[1:]))

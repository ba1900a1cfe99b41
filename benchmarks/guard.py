"""Requests per second of a Pyramid application with and without `myapp.migrator.pyramid`.

    python benchmarks/guard.py [URL]

The database is at the heads: an SQLite file, or a new version table at URL. Requests are WSGI calls
within this process, by turns with and without. It ends with 1 if more than 2 % of them are lost.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import alembic.command
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from myapp.migrator.config import alembic_config

LIMIT = 0.02
#: Requests of a batch, and the seconds of one comparison.
BATCH, SECONDS = 50, 20.0
INI = """\
[app:main]
use = egg:myapp
sqlalchemy.url = {url}
alembic.script_location = myapp:migrations
migrate.on_pending = page
"""


def application(ini: Path, url: str, on_pending: str | None) -> Any:
    """Return an application with one view; without `on_pending`, it includes nothing."""
    settings = {
        "sqlalchemy.url": url,
        "alembic.script_location": "myapp:migrations",
        "migrate.on_pending": on_pending,
    }
    with Configurator(settings=settings) as config:
        if on_pending is not None:
            config.include("myapp.migrator.pyramid")
            config.set_migration_settings({"__file__": str(ini)})
        config.add_route("home", "/")
        config.add_view(lambda request: Response("<p>Hello.</p>"), route_name="home")
        return config.make_wsgi_app()


def seconds_of(app: Any) -> float:
    """Return how long the application takes for a batch of requests."""
    start = time.perf_counter()
    for _ in range(BATCH):
        response = Request.blank("/", accept="text/html").get_response(app)
        if response.status_int != 200:
            raise SystemExit(f"the application answered {response.status}")
    return time.perf_counter() - start


def compared(without: Any, included: Any) -> tuple[float, float]:
    """Return the requests per second without and with.

    The batches take turns, so that another process that slows one slows the other too. The looks
    of `page` go by the clock: there are two in each second in which its application is at work,
    twice as many as in reality.
    """
    spent = {id(without): 0.0, id(included): 0.0}
    count = 0
    while sum(spent.values()) < SECONDS:
        for app in (without, included) if count % 2 else (included, without):
            spent[id(app)] += seconds_of(app)
        count += 1
    return count * BATCH / spent[id(without)], count * BATCH / spent[id(included)]


def main(arguments: list[str]) -> int:
    """Measure, print, and return the exit status."""
    logging.disable()
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        ini = Path(folder, "app.ini")
        url = arguments[0] if arguments else f"sqlite:///{folder}/app.sqlite"
        ini.write_text(INI.format(url=url.replace("%", "%%")))
        alembic.command.upgrade(alembic_config(ini), "heads")
        without = application(ini, url, None)
        for on_pending in ("refuse", "page"):
            before, after = compared(without, application(ini, url, on_pending))
            share = 1 - after / before
            print(
                f"{on_pending}: {before:,.0f} requests/s without, {after:,.0f} with:"
                f" {share:.1%} fewer"
            )
            status |= share > LIMIT
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

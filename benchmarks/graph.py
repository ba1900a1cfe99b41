"""Show what reading a history and planning over it costs, and that it grows with its length.

    python benchmarks/graph.py [--alembic] [LENGTH ...]

Each figure is in microseconds for each revision, the least of three runs: it stays level as long
as the cost is linear. `--alembic` adds Alembic's own (minutes at 5,000 revisions).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from myapp.migrator.revisions.facts import RevisionFile
from myapp.migrator.revisions.files import read_revision_files
from myapp.migrator.revisions.graph import Graph
from myapp.migrator.revisions.resolution import downgrade_plan, upgrade_plan

SOURCE = '''\
"""A change

Revision ID: {revision}

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision: str = "{revision}"
down_revision: str | Sequence[str] | None = {down_revision!r}
branch_labels: str | Sequence[str] | None = {branch_labels!r}
depends_on: str | Sequence[str] | None = {depends_on!r}


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "table_{revision}",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("table_{revision}")
'''


def line(length: int) -> Iterator[RevisionFile]:
    """One after the other."""
    for number in range(length):
        yield _file(f"a{number}", *([f"a{number - 1}"] if number else []))


def merges(length: int) -> Iterator[RevisionFile]:
    """Two branches at a time, which the next joins."""
    before: list[str] = []
    for number in range(length // 3):
        yield _file(f"a{number}", *before)
        yield _file(f"b{number}", *before)
        yield _file(f"c{number}", f"a{number}", f"b{number}")
        before = [f"c{number}"]


def branches(length: int) -> Iterator[RevisionFile]:
    """Fifty long branches with labels."""
    yield _file("root")
    for number in range(length - 1):
        labels = (f"label{number}",) if number < 50 else ()
        yield _file(f"a{number}", f"a{number - 50}" if number >= 50 else "root", labels=labels)


def dependencies(length: int) -> Iterator[RevisionFile]:
    """Two lines, of which one depends on the other every tenth time."""
    for number in range(length // 2):
        before = number - 1
        needs = (f"a{number}",) if number % 10 == 0 else ()
        yield _file(f"a{number}", *([f"a{before}"] if number else []))
        yield _file(f"b{number}", *([f"b{before}"] if number else []), needs=needs)


def measure(files: list[RevisionFile]) -> dict[str, Callable[[], object]]:
    """Return what to time, each with all that it needs prepared."""
    graph = Graph(files)
    heads = graph.effective_heads
    _ = graph.normal_children
    return {
        "graph": lambda: Graph(files),
        "no-op": lambda: upgrade_plan(graph, "heads", heads),
        "walk": lambda: graph.sort(graph.files, heads),
        "upgrade": lambda: upgrade_plan(graph, "heads", ()),
        "downgrade": lambda: downgrade_plan(graph, "base", heads),
        "current": lambda: graph.current(heads),
        "labels": lambda: Graph(files).branch_labels,
    }


def measure_alembic(folder: Path) -> dict[str, Callable[[], object]]:
    """Return the same of Alembic, of the same files with their bytecode."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(folder))
    heads = tuple(script.get_heads(consider_depends_on=True))

    def plan(upper: object, lower: object, **options: bool) -> Callable[[], object]:
        return lambda: list(script.iterate_revisions(upper, lower, **options))  # type: ignore[arg-type]

    return {
        "read, graph": lambda: ScriptDirectory(str(folder)).get_heads(),
        "no-op": plan("heads", heads, implicit_base=True),
        "walk": lambda: list(script.walk_revisions()),
        "upgrade": plan("heads", (), implicit_base=True),
        "downgrade": plan(heads, "base", select_for_downgrade=True),
        "current": lambda: script.get_all_current(heads),
    }


def write(folder: Path, files: list[RevisionFile]) -> None:
    """Write the revision files of a history."""
    (folder / "versions").mkdir()
    for file in files:
        down = file.down_revision[0] if len(file.down_revision) == 1 else file.down_revision or None
        (folder / "versions" / file.path).write_text(
            SOURCE.format(
                revision=file.revision,
                down_revision=down,
                branch_labels=file.branch_labels or None,
                depends_on=file.depends_on or None,
            )
        )


def main() -> None:
    """Print a line for each shape and length."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--alembic", action="store_true", help="measure Alembic too")
    parser.add_argument("lengths", type=int, nargs="*", default=[10, 1000, 5000])
    arguments = parser.parse_args()
    # The first reading writes it, the others have it.
    sys.dont_write_bytecode = False
    for shape in (line, merges, branches, dependencies):
        for length in arguments.lengths:
            files = list(shape(length))
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                write(folder, files)
                reading = {"read": partial(read, folder / "versions")}
                report(shape.__name__, len(files), "first", reading, 1)
                report(shape.__name__, len(files), "ours", {**reading, **measure(files)})
                if arguments.alembic:
                    report(shape.__name__, len(files), "Alembic", measure_alembic(folder), 1)


def read(folder: Path) -> None:
    """Read a history, of which every file has to be certain."""
    if not read_revision_files([folder]).certain:
        raise SystemExit("a file is in doubt")


def report(
    shape: str, length: int, who: str, timed: Mapping[str, Callable[[], object]], runs: int = 3
) -> None:
    """Time each and print it."""
    figures = []
    for name, call in timed.items():
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        figures.append(f"{name} {min(times) / length * 1e6:.1f}")
    print(f"{shape:12} {length:6} {who:8}", "  ".join(figures), flush=True)


def _file(
    revision: str, *down: str, needs: tuple[str, ...] = (), labels: tuple[str, ...] = ()
) -> RevisionFile:
    return RevisionFile(f"{revision}.py", revision, down, needs, labels, "")


if __name__ == "__main__":
    main()

"""docs/performance.md: what was measured, beside what was asked for; a missed target is marked."""

import os
import platform
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sampling import Sample, ratios

OURS, THEIRS, FLASK, DJANGO, LIMIT = (
    "myapp-migrate",
    "alembic",
    "flask db",
    "manage.py",
    "the limit",
)
TOOLS = (OURS, THEIRS, FLASK, DJANGO, LIMIT)

#: Each question with its heading, and what a reader has to know of how it is asked.
QUESTIONS = {
    "help": ("`--help`", "`flask db --help` and `manage.py --help`."),
    "nothing": ("`upgrade`, nothing to do", "`manage.py migrate`, here and below."),
    "current": ("`current`", "Django has no such command."),
    "history": (
        "`history`",
        "`myapp-migrate` marks each revision as applied, current or pending, so it is compared with"
        " `history --indicate-current` of the others, and `manage.py showmigrations`.",
    ),
    "one": ("`upgrade`, one revision pending", "Before each run, the last revision is undone."),
    "all": (
        "`upgrade` from empty, each revision in its own transaction",
        "`myapp-migrate` and Django do so by default. Alembic and Flask-Migrate are told to with"
        " `transaction_per_migration`; on SQLite they always do. Django takes minutes at 5,000.",
    ),
    "single": (
        "`upgrade` from empty, all in one transaction",
        "`migrate.transaction = single`, against the default of Alembic and Flask-Migrate. It holds"
        " the locks of all revisions to the end, for which a server has no room at 5,000.",
    ),
    "sql": ("`upgrade --sql`", "All revisions. Django writes them one by one only."),
    "foreign": (
        "`upgrade`, nothing to do, with Alembic's own `env.py`",
        "Alembic runs any `env.py` but the one that `myapp-migrate CONFIG_URI init` makes.",
    ),
    "pygments": (
        "`upgrade`, nothing to do, with Pygments installed",
        "As it is where pytest is. Alembic then imports it, through Mako, and `myapp-migrate` does"
        " not (`myapp/scripts/imports.py`). In all other rows it is hidden, as a deploy has none.",
    ),
    "installed": (
        "`upgrade`, nothing to do, no `.pyc` of the project's own files",
        "A read-only image into which the project was copied after the packages were installed:"
        " the packages are compiled; the revisions, `env.py` and settings are not."
        " Alembic compiles each revision then; `myapp-migrate` only reads them.",
    ),
    "none": (
        "`upgrade`, nothing to do, no `.pyc` at all",
        "A read-only image without any: `PYTHONDONTWRITEBYTECODE=1`, and a `PYTHONPYCACHEPREFIX`"
        " where nothing is.",
    ),
}
WITH_MEMORY = ("help", "nothing", "current", "history", "one", "all")

INTRODUCTION = """\
# Speed and memory

`myapp-migrate` beside the `alembic` command, Flask-Migrate, Django, and the limit: what a hundred
lines by hand take (`benchmarks/limit.py`), which can do no more than answer, with Click, plaster, a
regular expression over the files and one query through the bare driver. All have the same generated
history, a table for each revision; Django's migrations make the same tables.

Written by `python benchmarks/run.py` on {system}, {cores} cores, Python {python}: {versions}.

![Time against the length of the history](performance.svg)

- Times are medians. The commands of a row run in turn, A B C A B C, after a round that isn't
  counted. A ratio is the median of the rounds' ratios of `myapp-migrate` to that command, with its
  quartiles, and then the target that it has to keep, if there is one: met or **MISSED**. With
  Flask-Migrate it is 1.00 everywhere, and with Django wherever nothing is to be done.
- Each run is checked: the exit status, and that the database, or the output, is as it should be.
- PostgreSQL runs without `fsync`, so its commits cost less than those of a real server. SQLite's
  files are in the folder for temporary files, and its commits wait for that disk.
- The Django project has one app and no models, only their migrations; with the models,
  `manage.py migrate` takes longer. The Flask application has Flask-SQLAlchemy and no models.
- Where nothing is pending and `env.py` is the one that `init` makes, `myapp-migrate` answers from
  the files' text and the database's driver, without importing Alembic and SQLAlchemy
  (`myapp/migrator/commands/quick.py`).
- What is applied is only read: no file is compiled or run to find out that nothing is to be done.
  What Python would say of a broken file is told by the run that applies it, and by `check`.
- One revision in five has code of its own, as data migrations in public projects have: a
  declarative model, a logger, tables, an `Enum`, a session.
"""


@dataclass(frozen=True)
class Key:
    """Which row it is; `help` has neither database nor length."""

    question: str
    database: str
    length: int

    def __str__(self) -> str:
        """Name it in a line."""
        heading = QUESTIONS[self.question][0]
        return f"{heading}, {self.database}, {self.length:,}" if self.database else heading


@dataclass(frozen=True)
class Target:
    """A ratio, the most that it may be, and what it is for the limit, where that was measured."""

    name: str
    ratio: float
    most: float
    least: float | None

    @property
    def is_missed(self) -> bool:
        """Whether it is more than it may be."""
        return self.ratio > self.most

    def __str__(self) -> str:
        """Tell of a missed one in a line."""
        least = "" if self.least is None else f" (the limit has {self.least:.2f})"
        return f"{self.name}: {self.ratio:.2f}{least}, where {self.most:.2f} is asked for"


@dataclass(frozen=True)
class Row:
    """The samples of one case, by tool, and the most that each ratio may be."""

    key: Key
    samples: Mapping[str, Sample]
    limits: Mapping[str, float]
    memory_limits: Mapping[str, float] = field(default_factory=dict)

    def times(self) -> list[str]:
        """Return a cell for each tool, and how often each ran."""
        cells = [
            _cell(
                tool,
                {name: sample.seconds for name, sample in self.samples.items()},
                self.limits.get(tool),
                _duration,
            )
            for tool in TOOLS
        ]
        return [*cells, str(len(self.samples[OURS].seconds))]

    def memory(self) -> list[str]:
        """Return a cell for each tool."""
        used = {name: sample.memory for name, sample in self.samples.items()}
        return [_cell(tool, used, self.memory_limits.get(tool), _mebibytes) for tool in TOOLS]

    def targets(self) -> Iterator[Target]:
        """Yield each target of the row."""
        for kind, limits in (("seconds", self.limits), ("memory", self.memory_limits)):
            for tool, most in limits.items():
                if tool in self.samples:
                    has_limit = LIMIT in self.samples and tool != LIMIT
                    what = "memory, " if kind == "memory" else ""
                    yield Target(
                        f"{self.key}: {what}against {tool}",
                        self._ratio(OURS, tool, kind),
                        most,
                        self._ratio(LIMIT, tool, kind) if has_limit else None,
                    )

    def _ratio(self, one: str, other: str, kind: str) -> float:
        samples = self.samples[one], self.samples[other]
        return ratios(*(getattr(sample, kind) for sample in samples))[0]


def report(rows: Iterable[Row], versions: str) -> str:
    """Return the page; `versions` are those of what was measured."""
    rows = list(rows)
    parts = [
        INTRODUCTION.format(
            versions=versions,
            python=platform.python_version(),
            system=platform.system(),
            cores=os.cpu_count(),
        ),
        _summary(rows),
    ]
    for question, (heading, note) in QUESTIONS.items():
        asked = [row for row in rows if row.key.question == question]
        if asked:
            lines = [[*_where(row.key), *row.times()] for row in asked]
            parts.append(f"## {heading}\n\n{note}\n\n{_table([*TOOLS, 'rounds'], lines)}")
    lines = [
        [QUESTIONS[row.key.question][0], *_where(row.key), *row.memory()]
        for question in WITH_MEMORY
        for row in rows
        if row.key.question == question
    ]
    parts.append(f"## Peak memory\n\n{_table(TOOLS, lines, 'command')}")
    return "\n".join(parts)


def missed(rows: Iterable[Row]) -> list[str]:
    """Return a line for each target that was missed."""
    return [str(target) for row in rows for target in row.targets() if target.is_missed]


def _summary(rows: list[Row]) -> str:
    total = sum(1 for row in rows for _ in row.targets())
    lines = missed(rows)
    text = f"{total - len(lines)} of {total} targets are met."
    if lines:
        text += (
            " Missed are those below; where the limit is above a target too, nothing written with"
            " these libraries reaches it.\n\n"
        )
        text += "\n".join(f"- {line}" for line in lines)
    return f"{text}\n"


def _cell(
    tool: str, values: Mapping[str, list[float]], limit: float | None, shown: Callable[[float], str]
) -> str:
    if tool not in values:
        return ""
    text = shown(statistics.median(values[tool]))
    if tool == OURS:
        return text
    middle, lower, upper = ratios(values[OURS], values[tool])
    text += f": {middle:.2f} ({lower:.2f}-{upper:.2f})"
    if limit is None:
        return text
    return f"{text}, met {limit:.2f}" if middle <= limit else f"{text}, **MISSED {limit:.2f}**"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _mebibytes(mebibytes: float) -> str:
    return f"{mebibytes:.1f} MiB"


def _where(key: Key) -> list[str]:
    return [key.database, f"{key.length:,}" if key.length else ""]


def _table(tools: Iterable[str], lines: list[list[str]], *before: str) -> str:
    headings = [*before, "database", "revisions", *tools]
    rule = ["---"] * (len(before) + 1) + ["--:"] * (len(headings) - len(before) - 1)
    table = (headings, rule, *lines)
    return "".join("| " + " | ".join(cells) + " |\n" for cells in table)

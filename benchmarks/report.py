"""docs/performance.md: what was measured, beside what was asked for; a missed target is marked."""

import os
import platform
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from questions import (
    IN_PROCESSOR_TIME,
    INTRODUCTION,
    LIMIT,
    OURS,
    QUESTIONS,
    TOOLS,
    WITH_MEMORY,
)
from sampling import Sample, ratios


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

    @property
    def kind(self) -> str:
        """Which seconds count."""
        return "processor" if self.key.question in IN_PROCESSOR_TIME else "seconds"

    def times(self, tools: Iterable[str] = TOOLS) -> list[str]:
        """Return a cell for each of the tools, and how often each ran."""
        used = {name: getattr(sample, self.kind) for name, sample in self.samples.items()}
        cells = [_cell(tool, used, self.limits.get(tool), _duration) for tool in tools]
        return [*cells, str(len(used[OURS]))]

    def memory(self, tools: Iterable[str]) -> list[str]:
        """Return a cell for each of the tools."""
        used = {name: sample.memory for name, sample in self.samples.items()}
        return [_cell(tool, used, self.memory_limits.get(tool), _mebibytes) for tool in tools]

    def targets(self) -> Iterator[Target]:
        """Yield each target of the row."""
        for kind, limits in ((self.kind, self.limits), ("memory", self.memory_limits)):
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
            tools = _tools(asked)
            lines = [[*_where(row.key), *row.times(tools)] for row in asked]
            notes = f"{note}\n\n" if note else ""
            parts.append(f"## {heading}\n\n{notes}{_table([*tools, 'rounds'], lines)}")
    asked = [row for question in WITH_MEMORY for row in rows if row.key.question == question]
    tools = _tools(asked)
    lines = [
        [QUESTIONS[row.key.question][0], *_where(row.key), *row.memory(tools)] for row in asked
    ]
    parts.append(f"## Peak memory\n\n{_table(tools, lines, 'command')}")
    return "\n".join(parts)


def _tools(rows: list[Row]) -> list[str]:
    return [tool for tool in TOOLS if any(tool in row.samples for row in rows)]


def missed(rows: Iterable[Row]) -> list[str]:
    """Return a line for each target that was missed."""
    return [str(target) for row in rows for target in row.targets() if target.is_missed]


def _summary(rows: list[Row]) -> str:
    total = sum(1 for row in rows for _ in row.targets())
    lines = missed(rows)
    text = f"{total - len(lines)} of {total} targets are met."
    if lines:
        text += (
            " Those below are missed. Where the limit misses a target too, no command that uses"
            " these libraries can meet it.\n\n"
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

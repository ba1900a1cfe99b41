"""docs/performance.svg: the time of each tool against the length of the history."""

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from questions import DBMATE, DJANGO, FLASK, LIMIT, OURS, THEIRS
from report import Row

PANELS = {
    "nothing": "upgrade, nothing to do",
    "current": "current",
    "one": "upgrade, one pending",
    "all": "upgrade from empty",
}
DATABASES = ("SQLite", "PostgreSQL")
#: Colours that stay apart for those who see few, and without colour the lines' marks do.
STYLES = {
    OURS: ("#d55e00", "o", "-"),
    THEIRS: ("#0072b2", "s", "-"),
    FLASK: ("#56b4e9", "^", "-"),
    DJANGO: ("#009e73", "D", "-"),
    DBMATE: ("#cc79a7", "v", "-"),
    LIMIT: ("#777777", "x", "--"),
}


def plot(rows: Iterable[Row], path: Path) -> None:
    """Write the plot; the same rows give the same file."""
    rows = list(rows)
    settings: dict[Any, Any] = {
        "svg.hashsalt": "performance",
        "svg.fonttype": "none",
        "font.size": 9,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(13, 6.5), layout="constrained")
        panels = figure.subplots(len(DATABASES), len(PANELS), sharex=True, sharey=True)
        for line, database in zip(panels, DATABASES, strict=True):
            for axes, (question, title) in zip(line, PANELS.items(), strict=True):
                _draw(
                    axes,
                    [r for r in rows if (r.key.question, r.key.database) == (question, database)],
                )
                axes.set_title(f"{title}, {database}")
        panels[0][0].set_xticks(
            sorted({row.key.length for row in rows if row.key.question == "nothing"})
        )
        for axes in panels[-1]:
            axes.set_xlabel("revisions")
        for line in panels:
            line[0].set_ylabel("seconds")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(STYLES))
        figure.savefig(path, format="svg", metadata={"Date": None})


def _draw(axes: Axes, rows: list[Row]) -> None:
    axes.set(xscale="log", yscale="log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(visible=True, which="major", color="#dddddd")
    for tool, (color, marker, line) in STYLES.items():
        points = sorted(
            (row.key.length, statistics.median(row.samples[tool].seconds))
            for row in rows
            if tool in row.samples
        )
        if points:
            lengths, seconds = zip(*points, strict=True)
            axes.plot(lengths, seconds, linestyle=line, color=color, marker=marker, label=tool)

"""The parts of the benchmark that decide: what is asked for, what is missed, and its limit."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from support.command import invoke
from support.history import MakeApp, Revision, create_table

FOLDER = Path(__file__).parent.parent / "benchmarks"
LENGTHS = (10, 100, 1000, 5000)
SERVER = "postgresql://deploy@/postgres?host=/nowhere"


@pytest.fixture(autouse=True)
def _beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def row(ours: float, theirs: float, limit: float, memory: float = 10.0) -> Any:
    report, sampling = module("report"), module("sampling")
    samples = {
        report.OURS: sampling.Sample([ours] * 3, [memory] * 3),
        report.THEIRS: sampling.Sample([theirs] * 3, [20.0] * 3),
    }
    key = report.Key("nothing", "SQLite", 1000)
    return report.Row(key, samples, {report.THEIRS: limit}, {report.THEIRS: 0.5})


def test_a_missed_target_is_shown_as_missed() -> None:
    report = module("report")
    rows = [row(0.1, 1.0, 0.3), row(0.4, 1.0, 0.3, memory=15.0)]
    page = report.report(rows, "alembic 1")
    assert "1000 ms: 0.10 (0.10-0.10), met 0.30 |" in page
    assert "1000 ms: 0.40 (0.40-0.40), **MISSED 0.30** |" in page
    assert "20.0 MiB: 0.75 (0.75-0.75), **MISSED 0.50** |" in page
    assert "2 of 4 targets are met. Missed are those below" in page
    name = "`upgrade`, nothing to do, SQLite, 1,000"
    assert report.missed(rows) == [
        f"{name}: against alembic: 0.40, where 0.30 is asked for",
        f"{name}: memory, against alembic: 0.75, where 0.50 is asked for",
    ]


def test_a_missed_target_is_told_beside_what_the_limit_has() -> None:
    report, sampling = module("report"), module("sampling")
    missed = row(0.4, 1.0, 0.3)
    samples = {**missed.samples, report.LIMIT: sampling.Sample([0.35] * 3, [9.0] * 3)}
    (line,) = report.missed([report.Row(missed.key, samples, missed.limits)])
    assert line.endswith(": against alembic: 0.40 (the limit has 0.35), where 0.30 is asked for")


def test_a_target_is_missed_by_any_more_than_it_allows() -> None:
    assert module("report").missed([row(0.3001, 1.0, 0.3)])
    assert not module("report").missed([row(0.3, 1.0, 0.3)])


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    # The machine was three times as slow in the second round.
    assert module("sampling").ratios([1.0, 3.0, 1.1], [2.0, 6.0, 2.0])[0] == 0.5


def test_every_row_says_what_is_asked_of_it(tmp_path: Path) -> None:
    run, report = module("run"), module("report")
    cases = {case.key: case for case in run.all_cases(tmp_path, SERVER, LENGTHS)}
    assert {key.question for key in cases} == set(report.QUESTIONS)
    assert not list(tmp_path.iterdir())
    for key, case in cases.items():
        assert case.limits.keys() <= set(report.TOOLS) - {report.OURS}
        assert case.commands.keys() >= {report.OURS, report.THEIRS}
        if report.FLASK in case.commands:
            assert case.limits[report.FLASK] == 1.0
        if report.LIMIT in case.commands:
            assert case.limits[report.LIMIT] == 1.3
        if key.question == "nothing":
            assert case.limits[report.THEIRS] == (0.15 if key.length == 5000 else 0.30)
            assert case.memory_limits[report.THEIRS] == 0.5
    limits = {
        (key.question, key.length): case.limits.get(report.THEIRS) for key, case in cases.items()
    }
    assert limits["help", 0] == 0.25
    assert limits["current", 1000] == 0.30
    assert limits["current", 5000] == 0.03
    assert limits["history", 1000] == 0.35
    assert limits["one", 5000] == 0.40
    assert limits["all", 1000] == limits["single", 1000] == 0.85


def test_rows_are_read_as_they_were_saved(tmp_path: Path) -> None:
    run = module("run")
    saved = row(0.1, 1.0, 0.3)
    run.save(tmp_path / "data.json", [saved])
    assert list(run.load(tmp_path / "data.json").values()) == [saved]
    assert run.load(tmp_path / "none.json") == {}


def test_commands_run_in_turn_and_a_failure_stops(tmp_path: Path) -> None:
    sampling = module("sampling")
    turns: list[str] = []

    def command(name: str, code: str = "print('done')") -> object:
        def check(output: str) -> None:
            turns.append(f"{name} {output.strip()}")

        return sampling.Command((sys.executable, "-S", "-c", code), tmp_path, check)

    environment = sampling.Environment(tmp_path)
    commands = {"a": command("a"), "b": command("b")}
    samples = sampling.measure(commands, environment, tmp_path, rounds=2, seconds=0)
    assert turns == ["a done", "b done"] * 3
    assert [len(sample.seconds) for sample in samples.values()] == [2, 2]
    assert all(0 < mebibytes < 100 for mebibytes in samples["a"].memory)
    failing = {"c": command("c", "import sys; sys.exit('no')")}
    with pytest.raises(SystemExit, match=r"failed:\nno"):
        sampling.measure(failing, environment, tmp_path, rounds=1, seconds=0)


def test_the_limit_gives_the_same_answers(make_app: MakeApp, tmp_path: Path) -> None:
    names = ["3f1a", "9c20", "07be"]
    revisions = [
        Revision(name, parent, **create_table(f"t_{name}"))
        for name, parent in zip(names, [None, *names], strict=False)
    ]
    ini = make_app(f"sqlite:///{tmp_path}/limit.sqlite", revisions)
    limit = CliRunner()
    main = module("limit").main
    invoke(ini, "upgrade", "9c20")
    assert limit.invoke(main, [str(ini), "upgrade"]).exit_code == 1
    assert limit.invoke(main, [str(ini), "current"]).output == "9c20\n"
    states = [line.split()[0] for line in invoke(ini, "history").stdout.splitlines()]
    listed = limit.invoke(main, [str(ini), "history"]).output.splitlines()
    assert [line.split()[0] for line in listed] == states == ["pending", "current", "applied"]
    invoke(ini, "upgrade")
    assert limit.invoke(main, [str(ini), "upgrade"]).exit_code == 0
    assert "07be" in invoke(ini, "current").stdout
    assert limit.invoke(main, [str(ini), "current"]).output == "07be (head)\n"

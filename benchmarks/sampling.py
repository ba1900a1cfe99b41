"""Running commands in turn, and what each run took."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

LAUNCHER = str(Path(__file__).with_name("launch.py"))
# Linux counts in KiB, macOS in bytes (getrusage(2) of each).
RSS_UNIT = 2**20 if sys.platform == "darwin" else 2**10


class Bytecode(Enum):
    """Which compiled files are there when a command starts."""

    ALL = "all"
    INSTALLED = "installed"
    NONE = "none"


@dataclass(frozen=True)
class Command:
    """A command line, what precedes each run of it, and what its output has to show."""

    arguments: tuple[str, ...]
    cwd: Path
    check: Callable[[str], None]
    prepare: Callable[[], None] = lambda: None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Sample:
    """The runs of one command: seconds, peak memory in MiB, and seconds of a processor."""

    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Environment:
    """What the commands find besides their project, in `folder`, which is the benchmark's own."""

    folder: Path
    bytecode: Bytecode = Bytecode.ALL
    has_pygments: bool = False

    def variables(self, *, warming: bool = False) -> dict[str, str]:
        """Return the environment variables; only a run for warming up leaves compiled files."""
        values = {name: v for name, v in os.environ.items() if not name.startswith("PYTHON")}
        values["PYTHONPYCACHEPREFIX"] = str(self._cache)
        if self.bytecode is Bytecode.NONE or (self.bytecode is Bytecode.INSTALLED and not warming):
            values["PYTHONDONTWRITEBYTECODE"] = "1"
        if not self.has_pygments:
            hidden = self.folder / "hidden"
            hidden.mkdir(exist_ok=True)
            (hidden / "pygments.py").write_text("raise ImportError\n")
            values["PYTHONPATH"] = str(hidden)
        return values

    def forget(self, project: Path) -> None:
        """Remove the compiled files of a project, where only those of packages are to be there."""
        if self.bytecode is Bytecode.INSTALLED:
            shutil.rmtree(self._cache.joinpath(*project.resolve().parts[1:]), ignore_errors=True)

    @property
    def _cache(self) -> Path:
        return self.folder / f"bytecode-{self.bytecode.value}"


def measure(
    commands: Mapping[str, Command],
    environment: Environment,
    project: Path,
    *,
    rounds: int,
    seconds: float,
) -> dict[str, Sample]:
    """Run the commands in turn, A B C A B C, after one round that isn't counted.

    There are `rounds`, or fewer when those would take longer than `seconds`, but three at least
    where three are asked for.
    """
    start = time.perf_counter()
    for command in commands.values():
        run(command, environment.variables(warming=True))
    environment.forget(project)
    samples = {name: Sample() for name in commands}
    for number in range(rounds):
        if number >= 3 and time.perf_counter() - start > seconds:
            break
        for name, command in commands.items():
            took, memory, processor = run(command, environment.variables())
            samples[name].seconds.append(took)
            samples[name].memory.append(memory)
            samples[name].processor.append(processor)
    return samples


def run(command: Command, variables: Mapping[str, str]) -> tuple[float, float, float]:
    """Run a command once, and stop if it fails or has not done what is measured."""
    command.prepare()
    with tempfile.NamedTemporaryFile() as output:
        launched = subprocess.run(
            [sys.executable, "-I", "-S", LAUNCHER, output.name, *command.arguments],
            cwd=command.cwd,
            env={**variables, **command.variables},
            check=True,
            capture_output=True,
            text=True,
        )
        text = output.read().decode()
    seconds, processor, memory, status = launched.stdout.split()
    if status != "0":
        raise SystemExit(f"{' '.join(command.arguments)} failed:\n{text}")
    try:
        command.check(text)
    except SystemExit as error:
        raise SystemExit(f"{' '.join(command.arguments)}: {error}\n{text[-2000:]}") from None
    return float(seconds), int(memory) * RSS_UNIT / 2**20, float(processor)


def ratios(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """Return the median of the rounds' ratios, and their lower and upper quartile."""
    values = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return middle, lower, upper

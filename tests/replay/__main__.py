"""Replay Alembic's own tests of its commands through this command.

    python tests/replay                      # all of them, with SQLite
    python tests/replay -k history -x        # arguments of pytest

The tests are those of the installed version. They come from its source distribution on PyPI, and
stand in a temporary folder. The run fails if a test fails that `differences.py` doesn't list, or
passes though it does.
"""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

#: The tests that call the functions of `alembic.command`, the `alembic` command line, or a
#: ScriptDirectory.
_TESTS = [
    "tests/test_batch.py::OfflineTest",
    "tests/test_command.py",
    "tests/test_config.py",
    "tests/test_editor.py",
    "tests/test_environment.py",
    "tests/test_mssql.py::FullEnvironmentTests",
    "tests/test_offline_environment.py",
    "tests/test_oracle.py::FullEnvironmentTests",
    "tests/test_post_write.py",
    "tests/test_script_consumption.py",
    "tests/test_script_production.py",
    "tests/test_version_traversal.py",
]
#: What is unpacked beside the tests. Alembic itself is the installed one.
_NEEDED = {"pyproject.toml", "setup.cfg", "alembic/testing/plugin/bootstrap.py"}


def main() -> int:
    """Fetch the tests, run them, and return pytest's exit status."""
    with TemporaryDirectory() as temporary:
        folder = _unpacked(Path(temporary))
        # Some tests look for the module `black`, and none runs it.
        (folder / "black.py").touch()
        arguments = sys.argv[1:] or ["--replay-all"]
        pytest = ["-m", "pytest", "-q", "--maxfail=1000", "-p", "replay.plugin"]
        return subprocess.run(
            [sys.executable, *pytest, *arguments, *_TESTS],
            cwd=folder,
            env={**os.environ, **_environment()},
            check=False,
        ).returncode


def _unpacked(folder: Path) -> Path:
    """Return the folder of Alembic's tests, of the version that is installed."""
    download = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    alembic = f"alembic=={version('alembic')}"
    subprocess.run([sys.executable, *download, "--dest", folder, alembic], check=True)
    (archive,) = folder.glob("alembic-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, _wanted(tar), filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def _wanted(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        inside = member.name.partition("/")[2]
        if inside.startswith("tests/") or inside in _NEEDED:
            yield member


def _environment() -> dict[str, str]:
    """Return what lets pytest find the plugin, and keeps other plugins out."""
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


if __name__ == "__main__":
    sys.exit(main())

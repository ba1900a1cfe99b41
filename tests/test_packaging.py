"""The wheel, as a deploy installs it: in a clean environment, run from elsewhere."""

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import myapp

PROJECT = Path(__file__).parent.parent
VERSIONS = sorted(path.name for path in (PROJECT / "myapp/migrations/versions").glob("*.py"))
# What the project is made of; a checkout may hold build/, databases and a virtual environment too.
SOURCES = (
    ".ci",
    ".github",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "SECURITY.md",
    "benchmarks",
    "development.ini",
    "docs",
    "myapp",
    "production.ini",
    "pyproject.toml",
    "tests",
)


def call(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run `command` without this environment's Python settings, and return what it printed."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        encoding="utf-8",
        env=inherited | {"PYTHONDONTWRITEBYTECODE": "1"} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(folder: Path, kind: str) -> Path:
    """Build a wheel or an sdist as pip does, by the hook of the build backend."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (PROJECT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, source / name, ignore=ignored)
        else:
            shutil.copy(PROJECT / name, source / name)
    hook = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
    call(sys.executable, "-c", hook, cwd=source)
    [built] = folder.glob("myapp-*.*")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Path]:
    """A virtual environment with the wheel, its path with a blank in it, that can't be written."""
    environment = tmp_path_factory.mktemp("clean") / "virtual environment"
    call(sys.executable, "-m", "venv", "--without-pip", environment, cwd=wheel.parent)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    call(*pip, "install", "--no-deps", "--no-index", wheel, cwd=wheel.parent)
    # The dependencies come from this environment. Its .pth files, and with them an editable
    # installation of the project, are not read from there.
    packages = Path(call(python, "-c", PURELIB, cwd=wheel.parent).strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    for path in (packages / "myapp", *(packages / "myapp").rglob("*")):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    yield environment
    for path in (packages / "myapp", *(packages / "myapp").rglob("*")):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with a blank in its name, that holds the .ini files alone."""
    folder = tmp_path / "etc of the app"
    folder.mkdir()
    for name in ("development.ini", "production.ini"):
        shutil.copy(PROJECT / name, folder)
    return folder


def snapshot(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in folder.rglob("*")}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "myapp").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    info = f"myapp-{myapp.__version__}.dist-info"

    assert {name for name in names if not name.startswith(info)} == sources
    assert sources >= {f"myapp/migrations/versions/{name}" for name in VERSIONS}
    assert sources >= {
        "myapp/py.typed",
        "myapp/migrations/env.py",
        "myapp/migrations/script.py.mako",
    }
    assert f"{info}/licenses/LICENSE" in names


def test_pytest_finds_the_fixtures_of_the_wheel(clean: Path, tmp_path: Path) -> None:
    listed = call(clean / "bin" / "python", "-m", "pytest", "--fixtures", cwd=tmp_path)

    assert "migrated_database" in listed


def test_the_source_distribution_holds_all_that_the_project_is_made_of(tmp_path: Path) -> None:
    with tarfile.open(build(tmp_path, "sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        path.relative_to(PROJECT).as_posix()
        for source in SOURCES
        for path in ((PROJECT / source), *(PROJECT / source).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }

    assert names >= wanted


def test_the_installed_command_works_from_another_folder(
    clean: Path, app: Path, tmp_path: Path
) -> None:
    command = clean / "bin" / "myapp-migrate"
    ini = app / "development.ini"
    before = snapshot(clean)

    assert call(command, "--version", cwd=tmp_path) == f"myapp-migrate {myapp.__version__}\n"
    assert "Upgraded 2 revisions in " in call(command, ini, "upgrade", cwd=tmp_path)
    assert call(command, ini, "check", cwd=tmp_path) == "Models and database agree.\n"
    assert "Downgraded 2 revisions in " in call(command, ini, "downgrade", "base", cwd=tmp_path)
    assert call(command, ini, "current", cwd=tmp_path) == "base (no revision)\n"
    assert sorted(path.name for path in app.iterdir()) == [
        "development.ini",
        "myapp.sqlite",
        "production.ini",
    ]
    assert snapshot(clean) == before


def test_the_installed_command_upgrades_postgresql(
    clean: Path, app: Path, tmp_path: Path, postgresql_url: str
) -> None:
    command = clean / "bin" / "myapp-migrate"
    arguments = (command, app / "production.ini", "upgrade")

    assert "Upgraded 2 revisions in " in call(*arguments, cwd=tmp_path, DATABASE_URL=postgresql_url)
    assert call(*arguments, cwd=tmp_path, DATABASE_URL=postgresql_url).startswith("Nothing to do: ")


def test_the_environment_has_the_wheel_and_not_the_checkout(clean: Path, tmp_path: Path) -> None:
    where = call(
        clean / "bin" / "python", "-c", "import myapp; print(myapp.__file__)", cwd=tmp_path
    )

    assert Path(where.strip()).is_relative_to(clean)

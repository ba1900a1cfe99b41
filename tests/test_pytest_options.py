"""What a plain `pytest` call is told in pyproject.toml leaves pytest's own options working."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with two tests, of which one fails."""
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_two.py").write_text(
        "def test_passes():\n    pass\n\ndef test_fails():\n    assert 0\n"
    )
    return tmp_path


def call_pytest(checkout: Path, *options: str, typed: str = "") -> str:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        check=False,
        cwd=checkout,
        env=outer | {"PYTEST_XDIST_AUTO_NUM_WORKERS": "2"},
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_the_failed_tests_can_be_run_again(checkout: Path) -> None:
    first = call_pytest(checkout)
    assert "2 workers" in first
    assert "1 failed, 1 passed" in first
    again = call_pytest(checkout, "--lf")
    assert "1 failed" in again
    assert "passed" not in again


def test_the_debugger_opens_at_a_failure(checkout: Path) -> None:
    assert "(Pdb)" in call_pytest(checkout, "--pdb", typed="q\n")

"""A copy of this project, as the README's reader has it."""

import os
import shutil
from pathlib import Path

from .command import SCRIPTS

PROJECT = Path(__file__).parent.parent.parent


def copy_project(folder: Path) -> Path:
    """Make `folder` with the package and the .ini files, and return it."""
    folder.mkdir()
    # With its bytecode, which is good for the copy: it has the times of its files.
    shutil.copytree(PROJECT / "myapp", folder / "myapp")
    for name in (".gitignore", "development.ini", "production.ini"):
        shutil.copy(PROJECT / name, folder)
    (folder / ".venv").symlink_to(SCRIPTS.parent)
    return folder


def environ(project: Path) -> dict[str, str]:
    """The copy comes before the installed package; nothing of the caller's own gets in."""
    return {
        "HOME": str(project),
        "LANG": "C.UTF-8",
        "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
        "PYTHONPATH": str(project),
    }

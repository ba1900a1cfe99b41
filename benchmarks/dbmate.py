"""dbmate, a program written in Go that applies files of SQL: https://github.com/amacneil/dbmate."""

import shutil
import subprocess
from pathlib import Path

PACKAGE = "dbmate@2.36.0"


def install(folder: Path) -> str | None:
    """Put the program `dbmate` into `folder`, or return why that can't be done.

    npm's package holds it. What is measured is the program itself, not the few lines of JavaScript
    through which npm starts it.
    """
    npm = shutil.which("npm")
    if npm is None:
        return "npm is missing"
    place = folder / "npm"
    place.mkdir()
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", place, PACKAGE],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return f"`npm install {PACKAGE}` failed: {done.stderr.strip()[-300:]}"
    [program] = place.glob("node_modules/@dbmate/*/bin/dbmate")
    program.rename(folder / "dbmate")
    return None

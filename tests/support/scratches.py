"""What is left of scratch databases."""

import tempfile
from pathlib import Path

from .database import rows


def left_over(url: str) -> set[str]:
    """Return the scratch databases beside `url`, without the templates."""
    if url.startswith("sqlite"):
        return {path.name for path in Path(tempfile.gettempdir()).glob("migrate-scratch-*")}
    found = rows(url, "SELECT datname FROM pg_database WHERE starts_with(datname, 'migrate_scr')")
    return {name for (name,) in found}

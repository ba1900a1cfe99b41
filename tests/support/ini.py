"""An application's .ini file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class MakeIni(Protocol):
    """The fixture `make_ini`."""

    def __call__(
        self, settings: Mapping[str, str], *, extra: str = "", name: str = "app.ini"
    ) -> Path: ...


def write_ini(path: Path, settings: Mapping[str, str], extra: str = "") -> Path:
    """Write `settings` into [app:main] of a new .ini file, and `extra` below them as it is.

    A `%` in a setting is escaped; in `extra`, `%(here)s` and its like keep their meaning.
    """
    lines = ["[app:main]"]
    for key, value in {"use": "egg:myapp", **settings}.items():
        lines.append(f"{key} = {value}".replace("%", "%%").replace("\n", "\n    "))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, extra]) + "\n")
    return path


def logging_to(stream: str) -> str:
    """Return the sections that log all from INFO on to `stream`, as `sys.stderr`."""
    return f"""
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys =
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = ({stream},)
"""

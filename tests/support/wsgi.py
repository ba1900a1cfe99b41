"""A real application for PasteDeploy to load, which keeps the settings that it was given."""

from pathlib import Path
from typing import Any

#: What `use = egg:recorder` and `use = egg:recorder#name` find.
ENTRY_POINTS = """\
[paste.app_factory]
main = support.wsgi:App
other = support.wsgi:App
[paste.filter_factory]
main = support.wsgi:make_filter
[paste.composite_factory]
urls = support.wsgi:make_composite
"""


class App:
    def __init__(self, global_conf: dict[str, str], **settings: str) -> None:
        self.settings = settings


def make_filter(global_conf: dict[str, str], **settings: str) -> Any:
    return lambda app: app


def filter_app(app: App, global_conf: dict[str, str], **settings: str) -> App:
    return app


def make_composite(loader: Any, global_conf: dict[str, str], **parts: str) -> list[App]:
    return [loader.get_app(name, global_conf=global_conf) for name in parts.values()]


def install(folder: Path, name: str, entry_points: str) -> None:
    """Make `folder`, which must be on sys.path, look as if a distribution were installed in it."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)

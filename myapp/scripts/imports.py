"""Importing, which takes most of a command's time: without what no command needs."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Alembic imports Mako, for its templates of revision files; Mako imports this, and all of
#: Pygments where it is installed, for the colours of an HTML page of errors.
_COLORS = "mako.ext.pygmentplugin"


@contextmanager
def importing(*, ends_the_process: bool) -> Iterator[None]:
    """Import within without garbage collections, which find nothing then, and without Pygments.

    `imported` ends it for what follows. With `ends_the_process`, nothing of it is ever looked at:
    Python would do so once more when it exits.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault(_COLORS, None)  # as if it were not installed, which Mako is prepared for
    gc.disable()
    try:
        yield
    finally:
        imported()
        if not ends_the_process:
            gc.unfreeze()


def imported() -> None:
    """Import and collect as usual again, but look for no garbage in what is there by now."""
    if sys.modules.get(_COLORS, ...) is None:
        del sys.modules[_COLORS]
    gc.freeze()
    gc.enable()

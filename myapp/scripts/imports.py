"""Make imports faster, which take most of a command's time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Alembic imports Mako for its templates. Mako imports this module, and with it all of Pygments if
#: that is installed. It is only for colours in an HTML page of errors.
_COLORS = "mako.ext.pygmentplugin"


@contextmanager
def importing(*, ends_the_process: bool) -> Iterator[None]:
    """Import within without the garbage collector, and without Pygments.

    While modules are imported, there is no garbage to find. `imported` switches the collector on
    again. With `ends_the_process`, the modules stay out of its sight, also at Python's exit.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault(_COLORS, None)  # None stands for not installed, and Mako can do without
    gc.disable()
    try:
        yield
    finally:
        imported()
        if not ends_the_process:
            gc.unfreeze()


def imported() -> None:
    """Import and collect garbage as usual again, but don't look at what is there by now."""
    if sys.modules.get(_COLORS, ...) is None:
        del sys.modules[_COLORS]
    gc.freeze()
    gc.enable()

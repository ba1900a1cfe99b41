"""Make imports faster, which take most of a command's time."""

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

#: Alembic imports Mako for its templates. Mako imports this module, and with it all of Pygments if
#: that is installed. It is only for colours in an HTML page of errors.
_COLORS = "mako.ext.pygmentplugin"
#: What Click, dataclasses, plaster and PasteDeploy import and, for most answers, never use. The
#: second one imports `email`, `zipfile`, `tempfile` and `csv`.
_HARDLY_USED = ("inspect", "importlib.metadata")


class _Later(ModuleType):
    """Stands for a module, which is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def postpone() -> None:
    """Let who imports a module that is hardly ever used import it when it is used."""
    for name in _HARDLY_USED:
        sys.modules.setdefault(name, _Later(name))


def postpone_no_longer() -> None:
    """Import as usual again; who has imported such a module meanwhile may keep what it has."""
    for name in _HARDLY_USED:
        if isinstance(sys.modules.get(name), _Later):
            del sys.modules[name]


@contextmanager
def importing(*, ends_the_process: bool) -> Iterator[None]:
    """Import only what is used within, and with `ends_the_process` without the garbage collector.

    While modules are imported, there is no garbage to find. `imported` switches the collector on
    again. The modules stay out of its sight, also at Python's exit. A process that goes on has its
    own way with the collector.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault(_COLORS, None)  # None stands for not installed, and Mako can do without
    postpone()
    if ends_the_process:
        gc.disable()
    try:
        yield
    finally:
        imported()
        if ends_the_process:
            gc.freeze()
            gc.enable()


def imported() -> None:
    """Import and collect garbage as usual again, but don't look at what is there by now."""
    if sys.modules.get(_COLORS, ...) is None:
        del sys.modules[_COLORS]
    postpone_no_longer()
    if not gc.isenabled():
        gc.freeze()
        gc.enable()

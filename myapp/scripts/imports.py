"""Importing, which takes most of a command's time: without what no command needs."""

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

#: Alembic imports Mako, for its templates of revision files; Mako imports this, and all of
#: Pygments where it is installed, for the colours of an HTML page of errors.
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
    """Import within without garbage collections, which find nothing then, and only what is used.

    `imported` ends it for what follows. With `ends_the_process`, nothing of it is ever looked at:
    Python would do so once more when it exits.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault(_COLORS, None)  # as if it were not installed, which Mako is prepared for
    postpone()
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
    postpone_no_longer()
    gc.freeze()
    gc.enable()

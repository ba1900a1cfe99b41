"""Where the database of one application stands, however often and by whomever that is asked."""

from __future__ import annotations

import math
import os
import time
from functools import cached_property
from typing import TYPE_CHECKING

from ..settings.options import Options
from ..settings.settings import Settings
from .asking import Asking
from .code import KeptCode
from .given import given_settings
from .look import Look

if TYPE_CHECKING:
    from pyramid.registry import Registry

#: For so many seconds `latest` is content with what it knows.
FRESH = 1.0
#: How many seconds a look may take, unless its caller says otherwise.
_SECONDS = 2.0


class Standing:
    """Knows where the database of one application stands.

    Each process asks one question at a time, on one connection, which it closes afterwards.
    """

    def __init__(self, registry: Registry, options: Options) -> None:
        self.options = options
        self._registry = registry
        self._code = KeptCode(lambda: self.settings, is_watching=self.is_watching)
        self._last: Look | None = None
        self._until = 0.0
        #: Up to this moment of `time.monotonic()`, the database counts as being at the heads.
        self.settled_until = 0.0
        self._by_process: dict[int, Asking] = {}

    @cached_property
    def settings(self) -> Settings:
        """The application's settings.

        Raises SettingsError.
        """
        return given_settings(self._registry)

    @property
    def is_watching(self) -> bool:
        """Whether the revision files may change while the application runs: in development."""
        return self.options.on_pending == "page"

    def read_code(self) -> None:
        """Read the revision files: a process keeps the code with which it has started.

        Raises SettingsError, or HistoryError.
        """
        self._code.read()

    def look(self, seconds: float = _SECONDS) -> Look:
        """Ask the database, or wait for the answer of one who asks already.

        What has not answered within `seconds` counts as unreachable.
        """
        return self._kept(self._asking.ask(seconds))

    def latest(self, seconds: float = _SECONDS) -> Look:
        """Return what was seen less than a second ago, or else look.

        While the database is at the heads and the revision files are as they were, nobody waits:
        what was seen last is returned, and the look goes on in a thread of its own. Unless
        `is_watching`, there is none any more.
        """
        if time.monotonic() < self._until and self._last is not None:
            return self._last
        asking = self._asking
        last = asking.last
        if last is not None and time.monotonic() < last.at + FRESH:
            return self._kept(last)
        if last is not None and last.state == "ok" and not self._code.has_changed():
            asking.begin(seconds)
            return last
        return self.look(seconds)

    def _kept(self, look: Look) -> Look:
        """Return what was seen, which will do for a second, or for ever where nothing changes."""
        is_ok = look.state == "ok"
        self._last = look
        self._until = math.inf if is_ok and not self.is_watching else look.at + FRESH
        self.settled_until = self._until if is_ok else 0.0
        return look

    @property
    def _asking(self) -> Asking:
        # A fork leaves threads and connections to its parent, and may copy a held lock.
        pid = os.getpid()
        asking = self._by_process.get(pid)
        if asking is None:
            new = Asking(lambda: self.settings, self._code)
            asking = self._by_process.setdefault(pid, new)  # atomic
        return asking

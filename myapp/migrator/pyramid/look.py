"""What is seen at one look at a database."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ..base.errors import MigrateError
from ..base.results import Revision, Status
from ..commands.status import Code

#: `unreadable`: the settings or the revision files can't be read.
State = Literal["ok", "pending", "ahead", "unreachable", "unreadable"]


@dataclass(frozen=True)
class Look:
    """What was seen at one look. `at` is a moment of `time.monotonic()`.

    `code` is None where there are no revisions to compare the database with, and `status` where it
    could not be asked. `error` says why.
    """

    at: float
    code: Code | None = None
    status: Status | None = None
    error: MigrateError | None = None

    @cached_property
    def state(self) -> State:
        """Where the database stands, in a word."""
        if self.status is not None:
            return self.status.state
        return "unreachable" if self.code else "unreadable"

    @cached_property
    def pending(self) -> tuple[Revision, ...]:
        """The revisions that are not applied, in the order in which they will be."""
        if self.code is None or self.status is None:
            return ()
        return tuple(map(self.code.history.get, reversed(self.status.pending)))

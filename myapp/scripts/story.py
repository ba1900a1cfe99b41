"""Standard error, which gets everything but the answer."""

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, TextIO

import click

from .wrapping import columns_of, wrapped

if TYPE_CHECKING:
    from ..migrator.settings.redaction import Redactor

_CLEAR_TO_END = "\x1b[K"


class Story(io.TextIOBase):
    """Standard error without secrets. If it can't be written, the migration goes on.

    On a terminal it can show a passing line, which the next output replaces.
    """

    def __init__(self, stream: TextIO | None, redactor: "Redactor") -> None:
        self._stream = stream
        self._redactor = redactor
        self._has_passing_line = False
        #: Whether somebody has begun a line and not ended it.
        self._is_in_line = False
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Write `text` without its secrets."""
        self._put(self._redactor.redact(text))
        return len(text)

    def write_line(self, text: str, *, color: bool | None = None, indent: int = 4) -> None:
        """Write a line that holds no secret. `color` None: it is coloured on a terminal only.

        On a terminal a long line is broken between words, and goes on `indent` columns further in.
        """
        is_colored = self.isatty() if color is None else color
        text = wrapped(text, columns_of(self), indent)
        self._put(f"{text if is_colored else click.unstyle(text)}\n", begins_line=True)

    def write_question(self, text: str) -> None:
        """Write what somebody answers in the same line, which holds no secret."""
        self._put(text)
        self._is_in_line = False  # the answer's Enter ends it

    def write_passing_line(self, text: str) -> None:
        """Show a line until the next one is written. Do nothing if it couldn't be cleared.

        What somebody has begun to write, without an end of the line, is not overwritten.
        """
        with self._lock:
            if self.overwrites and not self._is_in_line:
                self._put(f"{text}\r")
                self._is_in_line = False
                self._has_passing_line = True

    def clear_passing_line(self) -> None:
        """Clear the passing line."""
        if self._has_passing_line:
            self._put("")

    @property
    def overwrites(self) -> bool:
        """Whether this is a terminal that can clear a line."""
        return self.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    @property
    def columns(self) -> int:
        """How many columns the terminal has."""
        return columns_of(self) or 80

    def _put(self, text: str, *, begins_line: bool = False) -> None:
        if self._stream is None:
            return
        with self._lock:  # a thread tells how long a revision has been running
            start = _CLEAR_TO_END if self._has_passing_line else ""
            if begins_line and self._is_in_line:
                start = "\n"
            self._has_passing_line = False
            self._is_in_line = not text.endswith("\n") if text else self._is_in_line
            # It may be closed, or its disk full. The run is worth more than its progress.
            with suppress(OSError, ValueError):
                self._stream.write(start + text)
                self._stream.flush()

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Tell whether this is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return the file descriptor of standard error."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override] # it is never assigned to
        """The encoding of standard error."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override] # it is never assigned to
        """How standard error writes what its encoding lacks."""
        return "backslashreplace"

    @property
    def buffer(self) -> "_Bytes":
        """For those who print bytes."""
        return _Bytes(self)


class _Bytes(io.RawIOBase):
    def __init__(self, story: Story) -> None:
        self._story = story

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._story.write(bytes(data).decode(self._story.encoding, "backslashreplace"))


@contextmanager
def telling(story: Story) -> Iterator[int]:
    """Send all that is printed within to `story`, and the output of child processes to stderr.

    Migrations, env.py and Alembic may print. Standard output is for the answer alone: its file
    descriptor is yielded.
    """
    with _children_on_stderr() as stdout, redirect_stdout(story), redirect_stderr(story):
        try:
            yield stdout
        finally:
            story.clear_passing_line()


@contextmanager
def _children_on_stderr() -> Iterator[int]:
    """Make file descriptor 1 standard error, as a migration may start a program that prints."""
    try:
        stdout = os.dup(1)
    except OSError:  # it is closed
        yield 1
        return
    try:
        with suppress(OSError):
            os.dup2(2, 1)
        yield stdout
    finally:
        if sys.__stdout__ is not None:
            with suppress(OSError, ValueError):
                sys.__stdout__.flush()
        os.dup2(stdout, 1)
        os.close(stdout)

"""Standard input, output and error: open them at the start, and avoid errors at the end."""

import os
import sys
from contextlib import suppress
from typing import Any

import click

from ..migrator.base.errors import UsageError
from ..migrator.base.legible import legible

_STANDARD = (0, 1, 2)


def keep_standard_descriptors() -> None:
    """Open the null device for each of the three that is closed.

    `>&-` leaves the number free. The next file or socket that is opened would get it, and a write
    to standard output would go there.
    """
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one


def give_up_what_cannot_be_written() -> None:
    """Drop the rest of the output to a standard error that can't be written.

    Otherwise Python would try again at its exit, and end with its own status 120.
    """
    if sys.stderr is None:
        return
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        discard(sys.stderr.fileno())


def discard(descriptor: int) -> None:
    """Discard what is written to `descriptor` from now on."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def write_json(document: dict[str, Any]) -> None:
    """Write a document to standard output."""
    import json  # takes long to import, and text needs none

    click.echo(json.dumps(document, indent=2))


def write_sql(sql: str) -> None:
    """Write SQL to standard output. Raises UsageError when its encoding lacks a character."""
    if sys.stdout is None:
        return
    try:
        # In a file or a pipe, the script must be exact. On a terminal, it is only read.
        sys.stdout.write(legible(sql) if sys.stdout.isatty() else sql)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"Standard output is encoded as {error.encoding}, which lacks a character of the SQL:"
            f" {error.object[error.start]!a}.",
            hint="run it with PYTHONIOENCODING=utf-8.",
        ) from None
    sys.stdout.flush()

"""Standard input, output and error: there from the start, and no trouble at the end."""

import json
import os
import sys
from contextlib import suppress
from typing import Any

import click

from ..migrator.base.errors import UsageError
from ..migrator.base.legible import legible

_STANDARD = (0, 1, 2)


def keep_standard_descriptors() -> None:
    """Open the null device in the place of each of the three that the process began without.

    `>&-` leaves the number free. The next thing that is opened, a pipe or the server's socket,
    would get it, and whoever then writes to standard output would write there.
    """
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free


def give_up_what_cannot_be_written() -> None:
    """Drop what is left to write to a standard error that nobody reads, or whose disk is full.

    Python writes it once more when it exits, and its own status 120 would take the place of the
    command's.
    """
    if sys.stderr is None:
        return
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        discard(sys.stderr.fileno())


def discard(descriptor: int) -> None:
    """Send to nowhere what is written to `descriptor` from now on."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def write_json(document: dict[str, Any]) -> None:
    """Write a document to standard output."""
    click.echo(json.dumps(document, indent=2))


def write_sql(sql: str) -> None:
    """Write SQL to standard output; raises UsageError when its encoding lacks a character."""
    if sys.stdout is None:
        return
    try:
        # A script is exact; a person who reads it on a terminal feeds it to no database.
        sys.stdout.write(legible(sql) if sys.stdout.isatty() else sql)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"Standard output is encoded as {error.encoding}, which lacks a character of the SQL:"
            f" {error.object[error.start]!a}.",
            hint="run it with PYTHONIOENCODING=utf-8.",
        ) from None
    sys.stdout.flush()

"""Break long lines between words, as wide as a terminal is."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

# These are compiled when they are needed, as most lines are short.
#: What is not broken: a command in backticks, what is coloured, and a word, which may be a path.
_WORD = r"(\s*)((?:`[^`\n]*`|\x1b\[[\d;]*m.*?\x1b\[0m|\S)+)"
_STYLE = r"\x1b\[[\d;]*m"
_USUAL = 80


def columns_of(stream: Any) -> int | None:
    """Return how many columns the terminal has, None where `stream` is no terminal.

    COLUMNS counts where the terminal doesn't tell: it is often inherited, and of another terminal.
    """
    if stream is None or not stream.isatty():
        return None
    with suppress(OSError, ValueError):
        if columns := os.get_terminal_size(stream.fileno()).columns:
            return columns
    with suppress(ValueError):
        return max(int(os.environ.get("COLUMNS", "")), 0) or _USUAL
    return _USUAL


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes at most."""
    if "\x1b" in text:
        text = re.sub(_STYLE, "", text)
    if text.isascii():
        return len(text)
    from unicodedata import east_asian_width  # most text doesn't need it

    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, columns: int) -> str:
    """Return as much of `text` as `columns` columns hold."""
    if text.isascii():
        return text[: max(columns, 0)]
    end = len(text)
    while end and width(text[:end]) > columns:
        end -= 1
    return text[:end]


def wrapped(text: str, columns: int | None, indent: int) -> str:
    """Return `text` with its long lines broken between words, unless `columns` is None.

    What a line continues in is indented as the line itself, or by `indent` where that is not.
    A word that is wider than a line is left to the terminal, so that it can be copied.
    """
    if columns is None:
        return text
    lines = text.split("\n")
    following = [*lines[1:], ""]
    return "\n".join(
        line
        if "^" in (line.strip(), after.strip())  # libpq marks a place in the line above so
        else _broken(line, columns, indent)
        for line, after in zip(lines, following, strict=True)
    )


def _broken(line: str, columns: int, indent: int) -> str:
    if width(line) <= columns:
        return line
    hanging = min(len(line) - len(line.lstrip(" ")) or indent, columns // 2)
    shown, column = "", 0
    for blanks, word in _pieces(line, columns - hanging):
        taken = width(word)
        fits_below = shown and hanging + taken <= columns
        if column + len(blanks) + taken > columns and fits_below:
            shown += f"\n{' ' * hanging}{word}"
            column = hanging + taken
        else:
            shown += blanks + word
            column = (column + len(blanks) + taken - 1) % columns + 1
    return shown


def _pieces(line: str, columns: int) -> Iterable[tuple[str, str]]:
    """Yield the words, each after its blanks. Chinese has no blanks: any of its characters may end.

    But a path or a command stays whole.
    """
    for blanks, word in re.findall(_WORD, line):
        if width(word) <= columns or word.isascii() or "/" in word or "`" in word:
            yield blanks, word
            continue
        for piece in _between_wide(word):
            yield blanks, piece
            blanks = ""


def _between_wide(word: str) -> Iterable[str]:
    narrow = ""
    for char in word:
        if width(char) == 1:
            narrow += char
            continue
        yield from filter(None, [narrow, char])
        narrow = ""
    yield from filter(None, [narrow])

"""What a database says of an error besides its first sentence."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.exc import DBAPIError

from ..base.shortening import shortened
from ..settings.redaction import redacted

_MOST_LINES, _LONGEST_LINE = 20, 500
_LABELS = ("DETAIL", "HINT", "CONTEXT")
#: The same, as psycopg2 and psycopg name it in `diag`, asyncpg in its errors, and as the protocol
#: does, which pg8000 passes on (https://www.postgresql.org/docs/current/protocol-error-fields.html).
_IN_DIAG = dict(zip(_LABELS, ("message_detail", "message_hint", "context"), strict=True))
_IN_ASYNCPG = dict(zip(_LABELS, ("detail", "hint", "context"), strict=True))
_IN_PROTOCOL = dict(zip(_LABELS, "DHW", strict=True))
# A driver that has only a text for them is taken to speak English.
_IN_TEXT = re.compile(r"^(DETAIL|HINT|CONTEXT): +(.*(?:\n(?![A-Z]+: ).*)*)", re.MULTILINE)
#: libpq shows the line of the statement, and a caret below the place. Its label is translated.
_PLACE = re.compile(r"^(.*\S.*)\n( *\^)$", re.MULTILINE)


def fields(error: BaseException) -> Mapping[str, Any]:
    """Return the fields of the protocol, if the driver has them in a mapping, as pg8000 does."""
    said = next(iter(getattr(error, "args", ())), None)
    return said if isinstance(said, dict) else {}


def message(original: Any) -> str | None:
    """Return the server's message alone, None where the driver has only a text for all of it.

    In the text of psycopg2, the server's word for an error stands before it in other languages.
    """
    diag = getattr(original, "diag", None)
    said = getattr(diag, "message_primary", None) or fields(original).get("M")
    return str(said) if said else None


def detail(error: DBAPIError) -> str | None:
    """Return the server's DETAIL without secrets, if that is one line."""
    said = _lines(_named(error.orig).get("DETAIL"))
    return said[0].rstrip(".") if len(said) == 1 else None


def said_besides(error: BaseException, *, with_place: bool = True) -> str:
    """Return the server's DETAIL, HINT and CONTEXT, and the place in the statement.

    Each begins a new line. A DETAIL of one line is left out, as `reason_of` has it.
    """
    if not isinstance(error, DBAPIError):
        return ""
    named = {name: _lines(text) for name, text in _named(error.orig).items()}
    if len(named.get("DETAIL", ())) == 1:
        named["DETAIL"] = []
    lines = [*_more_of_the_message(error.orig), *(_place(error.orig) if with_place else ())]
    for name, said in named.items():
        lines += [f"{name}: {said[0]}", *(f"  {line}" for line in said[1:])] if said else []
    return "".join(f"\n{line}" for line in lines)


def _named(original: Any) -> dict[str, str | None]:
    if diag := getattr(original, "diag", None):
        return {label: getattr(diag, name) for label, name in _IN_DIAG.items()}
    if known := fields(original):
        return {label: known.get(name) for label, name in _IN_PROTOCOL.items()}
    # SQLAlchemy wraps an error of asyncpg once more.
    wrapped = getattr(original, "__cause__", None) or original
    if hasattr(wrapped, "sqlstate"):
        return {label: getattr(wrapped, name, None) for label, name in _IN_ASYNCPG.items()}
    return dict(_IN_TEXT.findall(str(original)))


def _more_of_the_message(original: Any) -> list[str]:
    """Return what follows the first line of the message itself: a RAISE may have several."""
    return _lines(message(original))[1:]


def _place(original: Any) -> Iterator[str]:
    place = _PLACE.search(str(original))
    if place:
        line = redacted(place[1])
        yield line
        if line == place[1]:  # otherwise the caret would stand below another word
            yield place[2]
        return
    wrapped = getattr(original, "__cause__", None) or original
    position = fields(original).get("P") or getattr(wrapped, "position", None)
    if position:
        yield f"At character {position} of the statement."


def _lines(text: str | None) -> list[str]:
    """Return the lines of `text` without secrets, cut where they are too long or too many."""
    lines = [" ".join(line.split()) for line in redacted(text or "").splitlines() if line.strip()]
    shown = [shortened(line, _LONGEST_LINE) for line in lines[:_MOST_LINES]]
    more = len(lines) - len(shown)
    return [*shown, f"... ({more:,} more lines)"] if more else shown

"""Mask the data in SQL of other sessions, so that it may be shown."""

from .lexing import tokens

_LONGEST = 200
_MASKED = "?"
_LITERALS = {"escaped", "string", "tagged", "number"}


def masked(query: str) -> str:
    """Return the first line of PostgreSQL's `query` without comments, each literal as `?`.

    Only the first word is returned where it isn't certain what is a literal.
    """
    shown: list[str] = []
    first_word = ""
    for token in tokens(query):
        if token is None:
            return f"{first_word} ..." if first_word else ""
        if token.kind == "word" and not "".join(shown).strip(" (\r\n\t"):
            first_word = token.text[:_LONGEST]
        shown.append(_MASKED if token.kind in _LITERALS else token.text)
    lines = [line.strip() for line in "".join(shown).splitlines() if line.strip()]
    return lines[0][:_LONGEST] if lines else ""

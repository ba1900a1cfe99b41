"""Mask the data in SQL of other sessions, so that it may be shown."""

import re

_LONGEST = 200
_MASKED = "?"
# PostgreSQL's rules (https://www.postgresql.org/docs/current/sql-syntax-lexical.html). Every
# character beyond ASCII counts as a letter. The longest token before a quote decides its kind.
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\r\n]* )
    | (?P<block>   /\* )
    | (?P<escaped> [eE]'(?:[^'\\]|''|\\.)*' )
    | (?P<string>  (?:[uU]&|[bBxXnN])?'(?:[^'\\]|'')*' )
    | (?P<name>    (?:[uU]&)?"(?:[^"]|"")*" )
    | (?P<word>    [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]* )
    | (?P<tagged>  \$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?)\$
                   .*?\$(?P=tag)\$ )
    | (?P<place>   \$\d+ )
    | (?P<number>  \.?\d(?:[eE][+-]\d|[\w.])* )
    | (?P<other>   [^'"$] )
    """,
    re.VERBOSE | re.DOTALL,
)
_LITERALS = {"escaped", "string", "tagged", "number"}
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def masked(query: str) -> str:
    """Return the first line of PostgreSQL's `query` without comments, each literal as `?`.

    Only the first word is returned where it isn't certain what is a literal. That is so when the
    text is cut off in a literal, or a plain string has a backslash: by
    `standard_conforming_strings`, it is a character to one server and an escape to another.
    """
    shown: list[str] = []
    at, first_word = 0, ""
    while at < len(query):
        token = _TOKEN.match(query, at)
        end = _end_of_comment(query, at) if token and token["block"] else token and token.end()
        if token is None or end is None:
            return f"{first_word} ..." if first_word else ""
        kind = str(token.lastgroup if token.lastgroup != "tag" else "tagged")
        if kind == "word" and not "".join(shown).strip(" (\r\n\t"):
            first_word = token[0][:_LONGEST]
        shown.append(_shown(kind, token[0]))
        at = end
    lines = [line.strip() for line in "".join(shown).splitlines() if line.strip()]
    return lines[0][:_LONGEST] if lines else ""


def _shown(kind: str, text: str) -> str:
    if kind in _LITERALS:
        return _MASKED
    return " " if kind in ("comment", "block") else text


def _end_of_comment(query: str, start: int) -> int | None:
    """Return the end of the comment at `start`, None if it is cut off. Comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(query, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None

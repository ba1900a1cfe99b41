"""SQL of others, shown without their data."""

import re

_LONGEST = 200
_MASKED = "?"
# PostgreSQL's rules (https://www.postgresql.org/docs/current/sql-syntax-lexical.html). To it every
# character beyond ASCII is a letter, and the longest name decides what a quote belongs to.
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
    """Return the first line of PostgreSQL's `query`, its literals replaced by `?`, no comments.

    Where a quote leaves any doubt of what is a literal, only the first word is returned: a text
    that is cut off, or a backslash in a plain string, which one server takes for a character and
    another, by `standard_conforming_strings`, for an escape.
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
    """Return where the comment that begins at `start` ends; they nest. None when it is cut off."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(query, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None

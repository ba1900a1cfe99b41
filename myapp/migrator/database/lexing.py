"""Cut PostgreSQL's SQL into tokens, to know what is a literal, a comment or a statement's end."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

# PostgreSQL's rules (https://www.postgresql.org/docs/current/sql-syntax-lexical.html). Every
# character beyond ASCII counts as a letter. The longest token before a quote decides its kind.
_SYNTAX = r"""
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
    """
_COMMENTS = {"comment", "block"}
_COMMENT_EDGE = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A piece of SQL. `kind` is a group of the pattern; a comment's text is one blank."""

    kind: str
    text: str


@cache
def _pattern() -> re.Pattern[str]:
    """Compile it when it is needed: that takes a part of a small run's time."""
    return re.compile(_SYNTAX, re.VERBOSE | re.DOTALL)


def tokens(sql: str) -> Iterator[Token | None]:
    """Yield the tokens of `sql`, and None at the end where it isn't certain how it goes on.

    That is so when the text is cut off in a literal, or a plain string has a backslash: by
    `standard_conforming_strings`, it is a character to one server and an escape to another.
    """
    at = 0
    while at < len(sql):
        token = _pattern().match(sql, at)
        end = _end_of_comment(sql, at) if token and token["block"] else token and token.end()
        if token is None or end is None:
            yield None
            return
        kind = str(token.lastgroup if token.lastgroup != "tag" else "tagged")
        yield Token(kind, " " if kind in _COMMENTS else token[0])
        at = end


def statements(sql: str) -> list[str]:
    """Return the statements of `sql` without comments, up to where it isn't certain how it goes on.

    The last one may be cut off there.
    """
    found: list[list[str]] = [[]]
    for token in tokens(sql):
        if token is None:
            break
        if token.text == ";":
            found.append([])
        else:
            found[-1].append(token.text)
    return [statement for each in found if (statement := "".join(each).strip())]


def _end_of_comment(sql: str, start: int) -> int | None:
    """Return the end of the comment at `start`, None if it is cut off. Comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None

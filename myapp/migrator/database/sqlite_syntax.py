"""Read SQLite's `CREATE` statements, which are all that it knows of a schema.

SQLite keeps them as they were typed, and changes them itself where a table is altered. So what says
the same is brought into one form: blanks, the case of words, and quotes that are not needed.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache

_SYNTAX = r"""
      (?P<gap>    \s+ | --[^\n]* | /\*.*?(?:\*/|$) )
    | (?P<string> [xX]?'(?:[^']|'')*' )
    | (?P<quoted> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
    | (?P<word>   [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]* )
    | (?P<number> \.?\d(?:[eE][+-]\d|[\w.])* )
    | (?P<other>  \|\||<<|>>|<=|>=|<>|!=|==|->>?|. )
    """
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
#: Words that are names only in quotes.
_RESERVED = frozenset(
    """
    ADD ALL ALTER AND AS AUTOINCREMENT BETWEEN CASE CHECK COLLATE COLUMN COMMIT CONSTRAINT CREATE
    CROSS CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT DEFERRABLE DELETE DISTINCT DROP ELSE
    ESCAPE EXCEPT EXISTS FOREIGN FROM FULL GLOB GROUP HAVING IF IN INDEX INNER INSERT INTERSECT
    INTO IS ISNULL JOIN LEFT LIMIT NATURAL NOT NOTNULL NULL ON OR ORDER OUTER OVER PRIMARY
    REFERENCES RIGHT SELECT SET TABLE THEN TO UNION UNIQUE UPDATE USING VALUES WHEN WHERE
    """.split()  # noqa: SIM905 - a list of them takes a hundred lines
)
#: Words that are names too, quoted or not (https://www.sqlite.org/lang_keywords.html).
_WORDS = frozenset(
    """
    AFTER ALWAYS ASC BEFORE BEGIN BY CASCADE CAST CONFLICT DEFERRED DESC EACH END FAIL FOR
    GENERATED IGNORE IMMEDIATE INITIALLY INSTEAD KEY LIKE OF OFFSET RAISE REPLACE RESTRICT
    ROLLBACK ROW ROWID STORED STRICT TEMP TEMPORARY TRIGGER VIEW VIRTUAL WITH WITHOUT
    """.split()  # noqa: SIM905 - a list of them takes a hundred lines
)
_TIGHT_BEFORE, _TIGHT_AFTER = {",", ")", ".", ";"}, {"(", "."}


@cache
def _pattern() -> re.Pattern[str]:
    """Compile it when it is needed."""
    return re.compile(_SYNTAX, re.VERBOSE | re.DOTALL)


def words(sql: str) -> list[str]:
    """Return the tokens of `sql` in one form, without blanks and comments."""
    return [_formed(found) for found in _pattern().finditer(sql) if found.lastgroup != "gap"]


def _formed(found: re.Match[str]) -> str:
    text = found[0]
    if found.lastgroup == "word":
        upper = text.upper()
        return upper if upper in _RESERVED or upper in _WORDS else text.lower()
    if found.lastgroup == "quoted":
        inner = text[1:-1].replace(text[0] * 2, text[0])
        name = inner.lower()
        if name.upper() in _WORDS:
            return name.upper()
        is_plain = _PLAIN.fullmatch(name) and name.upper() not in _RESERVED
        return name if is_plain else '"' + inner.replace('"', '""') + '"'
    return text


def text(tokens: Sequence[str]) -> str:
    """Return tokens as SQL."""
    made = ""
    for before, word in zip(["(", *tokens], tokens, strict=False):
        is_call = word == "(" and _PLAIN.fullmatch(before)
        tight = before in _TIGHT_AFTER or word in _TIGHT_BEFORE or is_call
        made += word if tight else f" {word}"
    return made


def clauses(tokens: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """Return the clauses between a statement's first brackets, and what stands after them."""
    start = tokens.index("(")
    found: list[list[str]] = [[]]
    depth = 0
    for at, word in enumerate(tokens[start:], start):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return found, list(tokens[at + 1 :])
        if depth == 1 and word == ",":
            found.append([])
        elif at > start:
            found[-1].append(word)
    return found, []


def parts(clause: Sequence[str], starts: frozenset[str]) -> Iterator[list[str]]:
    """Yield the parts of a clause: each begins at one of `starts` that is in no brackets."""
    part: list[str] = []
    depth = 0
    for word in clause:
        if depth == 0 and word in starts and part:
            yield part
            part = []
        part.append(word)
        depth += (word == "(") - (word == ")")
    yield part

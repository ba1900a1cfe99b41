"""Text and names as SQL writes them."""

import re


def literal(text: str) -> str:
    """Return a text as SQL's standard writes it."""
    return "'" + text.replace("'", "''") + "'"


def escape_literal(text: str) -> str:
    """Return a text as an E string, which means the same whatever `standard_conforming_strings` is.

    PostgreSQL alone has these: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
    """
    return "E" + literal(text.replace("\\", "\\\\"))


def quoted(name: str) -> str:
    """Return a name, with quotes only where it needs them, but for keywords."""
    is_plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name)
    return name if is_plain else '"' + name.replace('"', '""') + '"'

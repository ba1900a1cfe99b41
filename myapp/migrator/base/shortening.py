"""Text that is too long to be read, cut; the secrets in it are to be taken out before."""

_LONGEST_LINE = 2_000
_MOST_LINES = 1_000


def shortened(text: str, limit: int) -> str:
    """Return the first `limit` characters of `text`, and how many more there are."""
    more = len(text) - limit
    return f"{text[:limit]}... ({more:,} more characters)" if more > 0 else text


def readable(text: str) -> str:
    """Return `text` with its longest lines cut, and its middle where it has very many.

    One statement that fills a table can have half a million characters.
    """
    if len(text) <= _LONGEST_LINE:
        return text
    lines = [shortened(line, _LONGEST_LINE) for line in text.split("\n")]
    if (more := len(lines) - _MOST_LINES) > 0:
        half = _MOST_LINES // 2
        lines[half:-half] = [f"... ({more:,} more lines)"]
    return "\n".join(lines)

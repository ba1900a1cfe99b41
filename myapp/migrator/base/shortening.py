"""Cut text that is too long to read. Take the secrets out of it first."""

_LONGEST_LINE = 2_000
_MOST_LINES = 1_000


def shortened(text: str, limit: int) -> str:
    """Return the first `limit` characters of `text`, and say how many more there are."""
    more = len(text) - limit
    return f"{text[:limit]}... ({more:,} more characters)" if more > 0 else text


def readable(text: str) -> str:
    """Return `text` with its long lines cut; of very many lines, the middle is left out.

    A single statement that fills a table can have half a million characters.
    """
    if len(text) <= _LONGEST_LINE:
        return text
    lines = [shortened(line, _LONGEST_LINE) for line in text.split("\n")]
    if (more := len(lines) - _MOST_LINES) > 0:
        half = _MOST_LINES // 2
        lines[half:-half] = [f"... ({more:,} more lines)"]
    return "\n".join(lines)

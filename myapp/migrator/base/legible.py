"""Text that came from elsewhere, as it may stand on a terminal or in a log."""

_KEPT = {
    "\n",
    "\t",
    "\u200c",  # Persian and emoji are spelt with these two, which turn no text around
    "\u200d",
}


def legible(text: str) -> str:
    """Return `text` with all that would steer a terminal written as Python escapes it.

    That is control characters, escape sequences with them, and what turns the direction of text.
    """
    if text.isprintable():
        return text
    return "".join(char if _is_harmless(char) else ascii(char)[1:-1] for char in text)


def _is_harmless(char: str) -> bool:
    from unicodedata import category  # what is printable throughout doesn't need it

    return char.isprintable() or char in _KEPT or category(char) == "Zs"

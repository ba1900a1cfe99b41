"""Text from elsewhere, made safe for a terminal or a log."""

_KEPT = {
    "\n",
    "\t",
    "\u200c",  # Persian and emoji need these two, which don't change the direction of text
    "\u200d",
}


def legible(text: str) -> str:
    """Return `text` with the characters that steer a terminal written as Python escapes.

    These are control characters, and the ones that change the direction of text.
    """
    if text.isprintable():
        return text
    return "".join(char if _is_harmless(char) else ascii(char)[1:-1] for char in text)


def _is_harmless(char: str) -> bool:
    from unicodedata import category  # imported here: text that is all printable doesn't need it

    return char.isprintable() or char in _KEPT or category(char) == "Zs"

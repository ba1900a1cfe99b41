"""Keep secrets out of everything that is shown."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

#: What is shown in place of a secret.
MASK = "***"
# The example in a hint, `dialect://user:password@host`, is not a secret.
_IN_URL = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.\-]*://[^\s:/?#]*:)(?!password@)\S+(?=@)")
_NAMED = re.compile(
    r"""(\b(?:[\w.\-]*[_.\-])?(?:ssl)?(?:password|passwd|pwd)["']?\s?[=:]\s?|\bPASSWORD\s)"""
    r"""('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|(?<=[=:])[^\s&;,'"]+(?:['"][^\s&;,'")\]}]+)*)""",
    re.IGNORECASE,
)
# Text that is quoted twice has two backslashes, or four.
_BACKSLASHES = r"\\+"
_MORE_SPELLINGS = {
    "'": r"""\\*''?|'"'"'|'\\''""",  # the last two are a shell's, within its quotes
    '"': r'\\*"',
    "\\": _BACKSLASHES,
    "%": "%+",
    " ": r"\+",
}
#: A place where others have cut a text, perhaps within a secret. SQLAlchemy cuts parameters so,
#: and PostgreSQL the line that it quotes.
_CUT = re.compile(r" ?\.\.\.(?: \(\d+ characters truncated\) \.\.\.)? ?")
#: Around a cut: how many characters of a secret are enough to hide them, how far before the cut a
#: secret may begin, and how many characters may follow that are the rest of an escape.
_SHORTEST, _REACH, _WIDEST = 3, 1000, 10

_in_use: list["Redactor"] = []


def redacted(text: str) -> str:
    """Return `text` without the secrets of the redactor in use.

    Call it before you cut or quote a text: half a secret can't be found afterwards.
    """
    return _in_use[-1].redact(text) if _in_use else text


class Redactor:
    """Replaces known secrets, and all that is in the place of a password, by `***`."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._is_compiled = True
        self.add([os.environ.get("PGPASSWORD", "")])

    def add(self, secrets: Iterable[str]) -> None:
        """Learn more secrets. Each is found in all its spellings: quoted, escaped or encoded."""
        before = len(self._secrets)
        self._secrets.update(filter(None, secrets))
        self._is_compiled = self._is_compiled and len(self._secrets) == before

    def add_parts(self, values: Iterable[str]) -> None:
        """Learn those of `values` that are a part of a known secret."""
        known = "\n".join(self._secrets)
        self.add(
            value
            for value in values
            if len(value) >= 4 and (value in known or value.replace("%%", "%") in known)
        )

    def redact(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        if not self._is_compiled:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_as_pattern, longest_first)))
            self._is_compiled = True
        if self._pattern:
            text = self._pattern.sub(MASK, text)
        for cut in reversed([*_CUT.finditer(text)]):
            for secret in self._secrets:
                text = _without_ends(text, cut, secret)
        text = _IN_URL.sub(rf"\1{MASK}", text)
        return _NAMED.sub(rf"\1{MASK}", text)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let `redacted` take out these secrets."""
        _in_use.append(self)
        try:
            yield
        finally:
            _in_use.remove(self)


def _as_pattern(secret: str) -> str:
    """Return a pattern for `secret`, however it is quoted or encoded.

    A plain word matches as a whole word only: with the password `postgres`, `postgresql://` would
    otherwise come out as `***ql://`. A secret of up to three characters matches only when it
    stands alone.
    """
    pattern = "".join(map(_spelt, secret))
    is_word = (
        secret.isascii()
        and secret.isalpha()
        and (secret.islower() or secret.isupper() or secret.istitle())
    )
    if is_word or re.fullmatch(r"\w{1,7}", secret):
        return rf"(?:(?<!\w)|(?<=\\[nrt])){pattern}(?!\w)"
    if len(secret) < 4:
        return rf"(?<![^\s'\"=:]){pattern}(?![^\s'\"@&,;\\])"
    return pattern


def _without_ends(text: str, cut: re.Match[str], secret: str) -> str:
    """Replace the beginning of `secret` right before `cut`, and the end of it right after."""
    text = text[: cut.end()] + _without_end(text[cut.end() :], secret)
    before = text[: cut.start()]
    for start in range(max(0, cut.start() - _REACH), cut.start()):
        end, count = _walk(before, start, secret)
        # The cut may be in the middle of an escape.
        if count >= _SHORTEST and (end == len(before) or re.match(r"[\\%]\S{0,9}\Z", before[end:])):
            return f"{before[:start]}{MASK}{text[cut.start() :]}"
    return text


def _without_end(text: str, secret: str) -> str:
    for start in range(min(len(text), _WIDEST)):
        for skipped in range(1, len(secret) - _SHORTEST + 1):
            end, count = _walk(text, start, secret[skipped:])
            if count == len(secret) - skipped:
                return f"{MASK}{text[end:]}"
    return text


def _walk(text: str, start: int, secret: str) -> tuple[int, int]:
    """Return where `secret` ends in `text` from `start` on, and how much of it is there."""
    for count, char in enumerate(secret):
        following = _compiled(_spelt(char)).match(text, start)
        if following:
            start = following.end()
        elif char != secret[count - 1 : count]:  # the match of a doubled quote took this one too
            return start, count
    return start, len(secret)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@lru_cache(maxsize=1024)
def _spelt(char: str) -> str:
    """Return a pattern for one character, as it is and as URLs, JSON, SQL and repr escape it."""
    from json import dumps  # most answers hold no secret

    octets = char.encode(errors="surrogatepass")
    # An .ini file has `%%40`, and a URL that was encoded twice has `%2540`.
    spellings = {"".join(f"%+(?:25)*{octet:02x}" for octet in octets)}
    for text in (repr(char), ascii(char), dumps(char), repr(octets)[1:]):
        if "\\" in text:
            escaped = text[1:-1].split("\\")
            spellings.add(_BACKSLASHES.join(map(re.escape, escaped)))
    if char in _MORE_SPELLINGS:
        spellings.add(_MORE_SPELLINGS[char])
    longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
    return f"(?:(?i:{'|'.join(longest_first)})|{re.escape(char)})"

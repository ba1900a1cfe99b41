"""Keep secrets out of everything that is shown."""

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from ..base.legible import legible
from ..base.shortening import readable

#: What stands in the place of a secret.
MASK = "***"
# An example in a hint, `dialect://user:password@host`, is no secret.
_IN_URL = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.\-]*://[^\s:/?#]*:)(?!password@)\S+(?=@)")
_NAMED = re.compile(
    r"""(\b(?:[\w.\-]*[_.\-])?(?:ssl)?(?:password|passwd|pwd)["']?\s?[=:]\s?|\bPASSWORD\s)"""
    r"""('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|(?<=[=:])[^\s&;,'"]+(?:['"][^\s&;,'")\]}]+)*)""",
    re.IGNORECASE,
)
#: A logger that writes the revisions' own messages.
_TELLS_MESSAGES = "alembic."
# Text that is quoted twice has two backslashes, or four.
_BACKSLASHES = r"\\+"
_MORE_SPELLINGS = {
    "'": r"""\\*''?|'"'"'|'\\''""",  # the last two are a shell's, within its quotes
    '"': r'\\*"',
    "\\": _BACKSLASHES,
    "%": "%+",
    " ": r"\+",
}
#: Where somebody else has shortened a text, perhaps within a secret. SQLAlchemy does so with
#: parameters, PostgreSQL with the line that it quotes.
_CUT = re.compile(r" ?\.\.\.(?: \(\d+ characters truncated\) \.\.\.)? ?")
#: How many characters of a secret tell that it is one, how far before a cut it may begin, and how
#: far behind it go on, where the cut is in the midst of how a character is spelt.
_SHORTEST, _REACH, _WIDEST = 3, 1000, 10

_in_use: list["Redactor"] = []


def redacted(text: str) -> str:
    """Return `text` without the secrets of the redactor in use.

    For whoever makes a text shorter or puts it into quotes: a secret that has been cut is found by
    nobody afterwards.
    """
    return _in_use[-1].redact(text) if _in_use else text


class Redactor:
    """Replaces known secrets, and whatever stands where a password stands, by `***`."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._is_compiled = True
        self.add([os.environ.get("PGPASSWORD", "")])

    def add(self, secrets: Iterable[str]) -> None:
        """Learn more secrets; each is found in all the spellings it may take in text."""
        before = len(self._secrets)
        self._secrets.update(filter(None, secrets))
        self._is_compiled = self._is_compiled and len(self._secrets) == before

    def add_parts(self, values: Iterable[str]) -> None:
        """Learn those of `values` that a known secret was put together from."""
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

    @contextmanager
    def in_logs(self) -> Iterator[None]:
        """Redact every log record that is made within, whichever handler writes it.

        A record's message and traceback are rendered here, once, because a handler that belongs
        to the application would render them again from the record's raw arguments.
        """
        make_record = logging.getLogRecordFactory()
        formatter = logging.Formatter()

        def redacted_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make_record(*args, **kwargs)
            try:
                record.msg, record.args = self.redact(record.getMessage()), None
                if record.levelno >= logging.WARNING:
                    record.msg = readable(record.msg)
                if record.name.startswith(_TELLS_MESSAGES):
                    record.msg = legible(record.msg)
            except Exception:  # noqa: BLE001 - logging itself tells of it, and a migration goes on
                return record
            if record.exc_info:
                text = self.redact(formatter.formatException(record.exc_info))
                record.exc_text = readable(text)
                record.exc_info = None
            if record.stack_info:
                record.stack_info = self.redact(record.stack_info)
            return record

        logging.setLogRecordFactory(redacted_record)
        try:
            yield
        finally:
            logging.setLogRecordFactory(make_record)


def _as_pattern(secret: str) -> str:
    """Match `secret`, however it is quoted or encoded.

    A plain word is matched as a whole word only, since with the password `postgres`,
    `postgresql://` would otherwise come out as `***ql://`; a few signs only where they stand alone.
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
    """Replace a beginning of `secret` that stands before `cut`, and an end of it behind."""
    text = text[: cut.end()] + _without_end(text[cut.end() :], secret)
    before = text[: cut.start()]
    for start in range(max(0, cut.start() - _REACH), cut.start()):
        end, count = _walk(before, start, secret)
        # The last character may be cut off in the middle of how it is spelt.
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
    """Return where `secret` ends in `text` from `start` on, and how many characters stand there."""
    for count, char in enumerate(secret):
        following = _compiled(_spelt(char)).match(text, start)
        if following:
            start = following.end()
        elif char != secret[count - 1 : count]:  # a quote may stand doubled, and take up the next
            return start, count
    return start, len(secret)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@lru_cache(maxsize=1024)
def _spelt(char: str) -> str:
    """Match one character of a secret as it is, and as URLs, JSON, SQL, repr and bytes spell it."""
    octets = char.encode(errors="surrogatepass")
    # `%%40` stands in an .ini file, `%2540` in a URL that was encoded twice.
    spellings = {"".join(f"%+(?:25)*{octet:02x}" for octet in octets)}
    for text in (repr(char), ascii(char), json.dumps(char), repr(octets)[1:]):
        if "\\" in text:
            escaped = text[1:-1].split("\\")
            spellings.add(_BACKSLASHES.join(map(re.escape, escaped)))
    if char in _MORE_SPELLINGS:
        spellings.add(_MORE_SPELLINGS[char])
    longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
    return f"(?:(?i:{'|'.join(longest_first)})|{re.escape(char)})"

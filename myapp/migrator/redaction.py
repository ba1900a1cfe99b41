"""Keep secrets out of everything that is shown."""

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .legible import legible

_MASK = "***"
# An example in a hint, `dialect://user:password@host`, is no secret.
_IN_URL = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.\-]*://[^\s:/?#]*:)(?!password@)\S+(?=@)")
_NAMED = re.compile(
    r"""(\b(?:ssl)?(?:password|passwd|pwd)["']?\s?[=:]\s?|\bPASSWORD\s)"""
    r"""('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|(?<=[=:])[^\s&;,'"]+)""",
    re.IGNORECASE,
)
#: A logger that writes the revisions' own messages.
_TELLS_MESSAGES = "alembic."
# Text that is quoted twice has two backslashes, or four.
_BACKSLASHES = r"\\+"
_MORE_SPELLINGS = {"'": r"\\*''?", '"': r'\\*"', "\\": _BACKSLASHES, "%": "%+", " ": r"\+"}


class Redactor:
    """Replaces known secrets, and whatever stands where a password stands, by `***`."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add([os.environ.get("PGPASSWORD", "")])

    def add(self, secrets: Iterable[str]) -> None:
        """Learn more secrets; each is found in all the spellings it may take in text."""
        self._secrets.update(filter(None, secrets))
        if self._secrets:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_as_pattern, longest_first)))

    def redact(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        if self._pattern:
            text = self._pattern.sub(_MASK, text)
        text = _IN_URL.sub(rf"\1{_MASK}", text)
        return _NAMED.sub(rf"\1{_MASK}", text)

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
                if record.name.startswith(_TELLS_MESSAGES):
                    record.msg = legible(record.msg)
            except Exception:  # noqa: BLE001 - logging itself tells of it, and a migration goes on
                return record
            if record.exc_info:
                record.exc_text = self.redact(formatter.formatException(record.exc_info))
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
    if re.fullmatch(r"[^\W\d_]+|\w{1,7}", secret):
        return rf"(?:(?<!\w)|(?<=\\[nrt])){pattern}(?!\w)"
    if len(secret) < 4:
        return rf"(?<![^\s'\"=:]){pattern}(?![^\s'\"@&,;\\])"
    return pattern


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
    return f"(?:(?i:{'|'.join(sorted(spellings))})|{re.escape(char)})"

"""Keep secrets out of everything that is shown."""

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

_MASK = "***"
_URL_PASSWORD = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.\-]*://[^\s:/@?#]*:)\S+(?=@)")
_NAMED_PASSWORD = re.compile(r"(\b(?:ssl)?passw(?:or)?d=)(?:'(?:[^'\\]|\\.)*'|[^\s&'\"]+)")


class Redactor:
    """Replaces known secrets, and whatever stands where a password stands in a URL, by `***`."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(filter(None, [os.environ.get("PGPASSWORD")]))

    def add(self, secrets: Iterable[str]) -> None:
        """Learn more secrets, each in all the spellings it may take in text."""
        for secret in secrets:
            self._secrets.update(filter(None, _spellings(secret)))
        if self._secrets:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_as_pattern, longest_first)))

    def redact(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        if self._pattern:
            text = self._pattern.sub(_MASK, text)
        text = _URL_PASSWORD.sub(rf"\1{_MASK}", text)
        return _NAMED_PASSWORD.sub(rf"\1{_MASK}", text)

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
            record.msg, record.args = self.redact(record.getMessage()), None
            if record.exc_info:
                record.exc_text = self.redact(formatter.formatException(record.exc_info))
            return record

        logging.setLogRecordFactory(redacted_record)
        try:
            yield
        finally:
            logging.setLogRecordFactory(make_record)


def _spellings(secret: str) -> Iterable[str]:
    encoded = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    for text in encoded:
        yield text
        yield text.lower() if text != secret else text
        yield text.replace("%", "%%")
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield secret.replace("'", "''")


def _as_pattern(secret: str) -> str:
    """Match a secret that is one plain word as a whole word only.

    With the password `postgres`, `postgresql://` would otherwise come out as `***ql://`.
    """
    pattern = re.escape(secret)
    return rf"(?<!\w){pattern}(?!\w)" if re.fullmatch(r"\w+", secret) else pattern

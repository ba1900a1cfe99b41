"""Which parts of a URL, and of settings, are secret."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

_SECRET_KEY = re.compile(r"pass(?!file)|pwd|secret|token", re.IGNORECASE)
# The password of `user:p@ss@host` is taken to go on up to the last `@`.
_AUTHORITY = re.compile(r"[^:/?#]+://[^:/?#]*:([^@]*(?:@(?:[^?]*|[^=]*)(?=@))?)@")


def secrets_in(url: str) -> Iterator[str]:
    """Yield every secret in `url`: as typed, and decoded.

    Works on text that is no valid URL too, so that an error about it can be redacted.
    """
    password = typed_password(url)
    typed = [password] if password else []
    _, _, query = url.partition("?")
    for pair in re.split("[&;]", query):
        key, _, value = pair.partition("=")
        if _SECRET_KEY.search(key):
            typed.append(value)
    for secret in typed:
        yield secret
        yield unquote(secret)
        yield unquote(secret.replace("+", " "))


def typed_password(url: str) -> str | None:
    """Return the password as it stands in `url`, with whatever characters."""
    authority = _AUTHORITY.match(url)
    return authority[1] if authority else None


def secrets_in_settings(settings: Mapping[str, str]) -> Iterator[str]:
    """Yield every secret in `settings`: in URLs, and under keys such as `password`."""
    for key, value in settings.items():
        if "://" in value:
            yield from secrets_in(value.strip())
        if _SECRET_KEY.search(key):
            yield value
            yield unquote(value)

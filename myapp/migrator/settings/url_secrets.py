"""Find the secrets in URLs and in settings."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

_SECRET_KEY = re.compile(
    r"pass(?!file)|pwd|secret|token|credential|(?:api|private)_?key", re.IGNORECASE
)
# A password in `sqlalchemy.connect_args`, or in a connection string of another kind.
_NAMED = re.compile(
    r"""(?:password|passwd|pwd|secret|token)["']?\s*[=:]\s*('[^']*'|"[^"]*"|[^\s&;,'"]+)""",
    re.IGNORECASE,
)
_WIDEST = re.compile(r"[^:/?#]+://[^:/?#]*:(.*)@", re.DOTALL)
_DELIMITERS = re.compile("[@/:?#]")
_SHORTEST_PIECE = 4
# The password of `user:p@ss@host` goes on up to the last `@`.
_AUTHORITY = re.compile(r"[^:/?#]+://[^:/?#]*:([^@]*(?:@(?:[^?]*|[^=]*)(?=@))?)@")


def secrets_in(url: str) -> Iterator[str]:
    """Yield every secret in `url`, as typed and decoded.

    `url` may be invalid, so that an error about it can be redacted too.
    """
    password = typed_password(url)
    typed = [password] if password else []
    _, _, query = url.partition("?")
    for pair in re.split("[&;]", query):
        key, _, value = pair.partition("=")
        if _SECRET_KEY.search(key):
            typed.append(value)
    for secret in typed:
        yield from _spellings(secret)
        # Another library may take a piece for a host, a port or a database, and show it.
        pieces = _DELIMITERS.split(secret)
        for piece in pieces if len(pieces) > 1 else []:
            if len(piece) >= _SHORTEST_PIECE:
                yield from _spellings(piece)
    if widest := _WIDEST.match(url):
        yield from _spellings(widest[1])


def secrets_in_arguments(arguments: Iterable[str]) -> Iterator[str]:
    """Yield every secret in the words of a command line."""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        yield from secrets_in(argument)
        if equals:
            yield from secrets_in_settings({name: value})


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield unquote(secret)
    yield unquote(secret.replace("+", " "))


def typed_password(url: str) -> str | None:
    """Return the password as it is typed in `url`, None if there is none."""
    authority = _AUTHORITY.match(url)
    return authority[1] if authority else None


def secrets_in_settings(settings: Mapping[str, str]) -> Iterator[str]:
    """Yield every secret in `settings`: in URLs, and under keys such as `password`."""
    for key, value in settings.items():
        if "://" in value:
            yield from secrets_in(value.strip())
        for named in _NAMED.finditer(value):
            yield named[1].strip("'\"")
        if _SECRET_KEY.search(key):
            yield from _spellings(value)

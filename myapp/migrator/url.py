"""Database URLs: which driver a bare scheme means, and which parts of a URL are secret."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from .errors import SettingsError

_BARE_POSTGRESQL = {"postgres", "postgresql"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SECRET_KEY = re.compile(r"pass(?!file)|pwd|secret|token", re.IGNORECASE)
# The password of `user:p@ss@host` is taken to go on up to the last `@`.
_AUTHORITY = re.compile(r"[^:/?#]+://[^:/?#]*:([^@]*(?:@(?:[^?]*|[^=]*)(?=@))?)@")


def engine_url(url: str) -> URL:
    """Parse `url` for SQLAlchemy; a bare `postgresql://` or `postgres://` means psycopg2.

    SQLAlchemy 2.1 takes a bare `postgresql://` for psycopg 3
    (https://docs.sqlalchemy.org/en/21/changelog/migration_21.html); an explicit `+driver` is kept.

    Raises SettingsError, whose text holds no part of `url`, when it isn't a database URL.
    """
    if _CONTROL.search(url):
        raise SettingsError(
            "`sqlalchemy.url` has a line break or another control character in it.",
            hint="an indented line in an .ini file goes on with the value above it: is one meant to"
            " be a setting of its own?",
        )
    try:
        if "@" in (_typed_password(url) or ""):
            raise ArgumentError("SQLAlchemy would take what follows the first `@` for the host")
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        port = "" if isinstance(error, ArgumentError) else ": its port is no number"
        raise SettingsError(
            f"`sqlalchemy.url` is not a database URL{port}.",
            hint="write `dialect://user:password@host:port/database`; in a password, `@`, `/`, `:`,"
            " `#` and `%` stand as %40, %2F, %3A, %23 and %25, in an .ini file with `%%` for `%`.",
        ) from None
    if parsed.drivername in _BARE_POSTGRESQL:
        parsed = parsed.set(drivername="postgresql+psycopg2")
    return parsed


def secrets_in(url: str) -> Iterator[str]:
    """Yield every secret in `url`: as typed, and decoded.

    Works on text that is no valid URL too, so that an error about it can be redacted.
    """
    password = _typed_password(url)
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


def _typed_password(url: str) -> str | None:
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


def sqlite_file(url: URL) -> str | None:
    """Return the path of the SQLite database file that `url` names, or None.

    None means that there is no such file to look for: another dialect, or a database in memory.
    """
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    if not url.database.startswith("file:"):
        return url.database
    path = url.database.removeprefix("file:").partition("?")[0]
    in_memory = path == ":memory:" or url.query.get("mode") == "memory"
    return None if in_memory or not path else unquote(path)

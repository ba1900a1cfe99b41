"""Read database URLs: the driver of a bare scheme, and the path of an SQLite file."""

import re
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..base.errors import MigrateError, SettingsError
from ..settings.url_secrets import typed_password

_BARE_POSTGRESQL = {"postgres", "postgresql"}
# An `@` after the `?`. SQLAlchemy takes all before it for a user and a password.
_MISLEADING = re.compile(r"[\w+]+://(?=[^:/]*(?::[^@]*)?@)[^@]*\?[\w.\-]+=[^@]*@")
# libpq's own form: several hosts, each with its port, and a socket's folder as `%2Frun`
# (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS).
_LIBPQS = re.compile(
    r"(?P<before>postgres(?:ql)?(?:\+\w+)?://(?:[^:/]*(?::[^@]*)?@)?)"
    r"(?P<hosts>[^/?@]*[,%][^/?@]*)(?P<after>(?:[/?].*)?)"
)
_HOST = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d*))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def engine_url(url: str, named: str = "`sqlalchemy.url`") -> URL:
    """Parse `url` for SQLAlchemy. A bare `postgresql://` or `postgres://` means psycopg2.

    SQLAlchemy 2.1 takes a bare `postgresql://` for psycopg 3
    (https://docs.sqlalchemy.org/en/21/changelog/migration_21.html). An explicit `+driver` is kept.

    Raises SettingsError when it isn't a database URL. Its text holds no part of `url`, and what it
    is `named`.
    """
    if _CONTROL.search(url):
        raise SettingsError(
            f"{named} has a line break or another control character in it.",
            hint="an indented line in an .ini file goes on with the value above it: is one meant to"
            " be a setting of its own?",
        )
    if url[:1] in {"'", '"'}:
        raise SettingsError(
            f"{named} stands in quotes, which are no part of a URL.",
            hint="take them out of the .ini file, or of the variable that it names: `docker"
            " --env-file` and .ini files keep them.",
        )
    try:
        if "@" in (typed_password(url) or "") or _MISLEADING.match(url):
            raise ArgumentError("SQLAlchemy would take what follows an `@` for the host")
        parsed = _libpqs_url(match) if (match := _LIBPQS.fullmatch(url)) else make_url(url)
    except (ArgumentError, ValueError) as error:
        port = "" if isinstance(error, ArgumentError) else ": its port is no number"
        raise SettingsError(
            f"{named} is not a database URL{port}.",
            hint="write `dialect://user:password@host:port/database`; in a password, `@`, `/`, `:`,"
            " `#` and `%` stand as %40, %2F, %3A, %23 and %25, in an .ini file with `%%` for `%`.",
        ) from None
    if parsed.drivername in _BARE_POSTGRESQL:
        parsed = parsed.set(drivername="postgresql+psycopg2")
    return parsed


def naming(error: MigrateError, named: str) -> MigrateError:
    """Let an error about `sqlalchemy.url` name another URL, which is `named` as a sentence begins.

    Errors of connections and drivers don't know which URL led to them.
    """
    within = named.replace("The ", "the ")
    error.message = error.message.replace("`sqlalchemy.url`", named)
    error.hint = error.hint and error.hint.replace("`sqlalchemy.url`", within)
    return error


def _libpqs_url(match: re.Match[str]) -> URL:
    """Return a URL that has its hosts in the query, where SQLAlchemy takes more than a name.

    What the query says already wins, as in libpq.
    """
    parsed = make_url(match["before"] + match["after"])
    hosts = [_HOST.fullmatch(host) for host in match["hosts"].split(",")]
    if not all(hosts):
        raise ValueError(match["hosts"])
    found = [host for host in hosts if host]
    places = {"host": ",".join(unquote(each["ipv6"] or each["name"] or "") for each in found)}
    if any(each["port"] for each in found):
        places["port"] = ",".join(each["port"] or "" for each in found)
    return parsed.set(query={**places, **parsed.query})


def sqlite_file(url: URL) -> str | None:
    """Return the path of the SQLite file that `url` names.

    None for another kind of database, and for one in memory.
    """
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    if not url.database.startswith("file:"):
        return url.database
    path = url.database.removeprefix("file:").partition("?")[0]
    in_memory = path == ":memory:" or url.query.get("mode") == "memory"
    return None if in_memory or not path else unquote(path)

"""Whether two URLs of PostgreSQL lead to one database."""

import getpass
import os
import socket
from collections.abc import Iterator

from sqlalchemy.engine import URL


def is_same_database(one: URL, other: URL) -> bool:
    """Tell whether `one` leads to the database of `other`. Neither is connected to."""
    named, also = _servers(one), _servers(other)
    if _database(one) != _database(other) or {port for _, port in named}.isdisjoint(
        port for _, port in also
    ):
        return False
    return not _addresses(named).isdisjoint(_addresses(also))


def _database(url: URL) -> str:
    user = url.username or os.environ.get("PGUSER")
    return _given(url, "dbname", url.database, "PGDATABASE") or user or getpass.getuser()


def _servers(url: URL) -> set[tuple[str, str]]:
    """Return the hosts that libpq tries, each with its port."""
    hosts = (_given(url, "hostaddr", None, "PGHOSTADDR") or "").split(",")
    if not any(hosts):
        hosts = (_given(url, "host", url.host, "PGHOST") or "").split(",")
    ports = (_given(url, "port", str(url.port or ""), "PGPORT") or "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return {(host, port or "5432") for host, port in zip(hosts, ports, strict=False)}


def _given(url: URL, name: str, value: str | None, variable: str) -> str | None:
    """Return what libpq takes: what stands after the `?` first, and a variable last."""
    asked = url.query.get(name)
    asked = asked if isinstance(asked, str) or asked is None else ",".join(asked)
    return asked or value or os.environ.get(variable)


def _addresses(servers: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(address, port) for host, port in servers for address in _of_host(host)}


def _of_host(host: str) -> Iterator[str]:
    """Yield the addresses of a host. All those of this computer are one, and sockets too."""
    if host[:1] in {"", "/", "@"}:
        yield "::1"
        return
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
    except OSError:
        yield host.lower()
        return
    for address in found:
        yield "::1" if address.startswith("127.") else address

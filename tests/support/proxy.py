"""A proxy in front of PostgreSQL that can stop passing anything on, or cut what is idle."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import parse_qsl, urlencode, urlsplit


class Proxy:
    """Passes on what comes, until `is_swallowing`: then it takes all and passes on nothing.

    `url` leads through it. With `idle`, it cuts a connection on which nothing has passed for so
    many seconds, and counts it in `cut`.
    """

    def __init__(self, url: str, host: str = "127.0.0.1", idle: float | None = None) -> None:
        query = dict(parse_qsl(urlsplit(url).query))
        self._target = f"{query['host']}/.s.PGSQL.{query.get('port', '5432')}"
        self._server = socket.create_server((host, 0))
        self._sockets: list[socket.socket] = []
        self.is_swallowing = False
        self.opened = self.cut = 0
        self._passed: dict[tuple[socket.socket, socket.socket], float] = {}
        port = self._server.getsockname()[1]
        query |= {"host": host, "port": str(port)}
        self.url = urlsplit(url)._replace(query=urlencode(query)).geturl()
        threading.Thread(target=self._accept, daemon=True).start()
        if idle is not None:
            threading.Thread(target=self._cut_idle, args=(idle,), daemon=True).start()

    def close(self) -> None:
        for each in [self._server, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self.opened += 1
                server = socket.socket(socket.AF_UNIX)
                self._sockets += [client, server]
                if not self.is_swallowing:
                    server.connect(self._target)
                    self._passed[client, server] = time.monotonic()
                    for source, target in ((client, server), (server, client)):
                        threading.Thread(
                            target=self._pass_on, args=(source, target), daemon=True
                        ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                for pair in {(source, target), (target, source)} & self._passed.keys():
                    self._passed[pair] = time.monotonic()
                if not self.is_swallowing:
                    target.sendall(data)
            self._passed.pop((source, target), self._passed.pop((target, source), None))
            if not self.is_swallowing:
                target.shutdown(socket.SHUT_WR)

    def _cut_idle(self, idle: float) -> None:
        while self._server.fileno() != -1:
            time.sleep(idle / 10)
            for pair, last in list(self._passed.items()):
                if time.monotonic() - last >= idle:
                    del self._passed[pair]
                    self.cut += 1
                    for each in pair:
                        with suppress(OSError):
                            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(url: str, host: str = "127.0.0.1", idle: float | None = None) -> Iterator[Proxy]:
    """Yield a proxy in front of the server of `url`, which listens at the address `host`."""
    with closing(Proxy(url, host, idle)) as proxy:
        yield proxy

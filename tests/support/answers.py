"""A stand-in for the servers, poolers and proxies that refuse every login with the same words."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

_ASKS_FOR_TLS, _ASKS_FOR_GSS = 80877103, 80877104
#: What PostgreSQL itself sends besides: the place in its source. Poolers and proxies don't.
IN_FULL = {"F": "miscinit.c", "L": "768", "R": "InitializeSessionUserId"}


@contextmanager
def answering(answer: bytes, *, tls: bytes = b"N") -> Iterator[str]:
    """Yield the URL of a server that reads a login, sends `answer`, and hangs up.

    `tls` is what it says when a client asks for TLS.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=_answer_all, args=(server, answer, tls), daemon=True).start()
        yield f"postgresql://deploy:s3cret@127.0.0.1:{server.getsockname()[1]}/shop"


def refusal(
    code: str, message: str, *, severity: str = "FATAL", encoding: str = "utf-8", **more: str
) -> bytes:
    """Return an ErrorResponse (https://www.postgresql.org/docs/current/protocol-message-formats.html)."""
    fields = {"S": severity, "V": "FATAL", "C": code, "M": message, **more}
    body = b"".join(name.encode() + text.encode(encoding) + b"\0" for name, text in fields.items())
    return b"E" + struct.pack("!I", len(body) + 5) + body + b"\0"


def _answer_all(server: socket.socket, answer: bytes, tls: bytes) -> None:
    with suppress(OSError):
        while True:
            client, _ = server.accept()
            threading.Thread(target=_answer, args=(client, answer, tls), daemon=True).start()


def _answer(client: socket.socket, answer: bytes, tls: bytes) -> None:
    with suppress(OSError, struct.error), closing(client):
        while True:
            length, request = struct.unpack("!II", client.recv(8, socket.MSG_WAITALL))
            client.recv(length - 8, socket.MSG_WAITALL)
            if request not in {_ASKS_FOR_TLS, _ASKS_FOR_GSS}:
                break
            client.sendall(tls if request == _ASKS_FOR_TLS else b"N")
        client.sendall(answer)

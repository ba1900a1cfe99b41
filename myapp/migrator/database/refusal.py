"""Why a server refused a connection: the SQLSTATE, in whatever language it says the rest.

libpq gives no SQLSTATE for a connection that was refused, only a text
(https://www.postgresql.org/docs/current/libpq-status.html#LIBPQ-PQERRORMESSAGE). The server's part
of it is in the language of the server's `lc_messages`, which no client may change. So the server
is asked once more, by the same libpq, which is told to put the SQLSTATE into the text
(`PQsetErrorVerbosity`). libpq does so by itself where it tries first with TLS and then without.
"""

import re
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..base.our_own import connecting_for_ourselves

_LONGEST = 5.0
_VERBOSE = 2  # PQERRORS_VERBOSE of libpq-fe.h
#: These are not libpq's: they are psycopg2's own, or psycopg's.
_NOT_LIBPQS = {"connection_factory", "cursor_factory", "async_", "async", "autocommit", "context"}
_NOT_LIBPQS |= {"prepare_threshold", "row_factory"}
#: libpq writes the server's severity, a colon and two blanks. Only the severity is translated.
_ANSWER = re.compile(r"(?:^|: )[^\s:][^:\n]*:  \S", re.MULTILINE)
_CODE = re.compile(rb":  ([0-9A-Z]{5}): ")
#: The place in the server's source, on a line of its own. A proxy answers without it.
_PLACE = re.compile(rb"^[^:\n]+:  .*\S:\d+$", re.MULTILINE)
_NO_PASSWORD, _NO_ROLE = "28P01", "28000"


class Refusal(NamedTuple):
    """What is known of a connection that could not be opened."""

    sqlstate: str | None = None  # None where no server answered, or where its code isn't known
    is_final: bool = False  # whether waiting can't help


def refusal_of(error: BaseException | None) -> Refusal | None:
    """Return what is known of the connection that `error` of a driver is about.

    None if the error isn't one of connecting, or another has opened that connection.
    """
    found = getattr(error, "migrate_refusal", None)
    return found if isinstance(found, Refusal) else None


def note_refusal(error: Any, given: Mapping[str, Any]) -> None:
    """Keep with a driver's `error` why no connection with the parameters `given` was opened."""
    error.migrate_refusal = _asked(given) if is_answer(str(error)) else Refusal()


def is_answer(said: str) -> bool:
    """Tell whether libpq's text has the answer of a server in it, in any language."""
    return bool(_ANSWER.search(said))


def decoded(error: UnicodeDecodeError) -> str:
    """Return the text that psycopg2 could not decode, since it takes it for UTF-8.

    Before a login the server writes in its own encoding, and doesn't say which that is. In Latin-1
    every byte is a character, and most servers that don't use UTF-8 use it.
    """
    return error.object.decode("latin-1")


def undecoded(error: BaseException) -> Exception | None:
    """Return the error that `error` stands for, if psycopg2 could not decode a server's answer.

    So it is with a connection that `env.py` has opened by itself (`creator=`).
    """
    if not isinstance(error, UnicodeDecodeError):
        return None
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or Path(frames[-1].filename).parent.name != "psycopg2":
        return None
    import psycopg2

    found: Exception = psycopg2.OperationalError(decoded(error))
    return found


def _asked(given: Mapping[str, Any]) -> Refusal:
    """Connect again, and return what the server answers now."""
    parameters = {key: value for key, value in given.items() if key not in _NOT_LIBPQS}
    said = b""
    # Anything may be missing: the functions of libpq, the server by now, or a parameter's meaning.
    with suppress(Exception), connecting_for_ourselves():
        said = _verbose_answer(parameters)
    states = dict(_states(said))
    for state in states:
        if state == _NO_PASSWORD or (state == _NO_ROLE and states[state]):
            return Refusal(state, is_final=True)
    return Refusal(next(iter(states), None))


def _states(said: bytes) -> Iterator[tuple[str, bool]]:
    """Yield each SQLSTATE, and whether the server has answered in full."""
    _, *parts = _CODE.split(said)
    for state, rest in zip(parts[::2], parts[1::2], strict=True):
        yield state.decode(), bool(_PLACE.search(rest))


def _verbose_answer(parameters: Mapping[str, Any]) -> bytes:
    """Return libpq's text with the SQLSTATE, and nothing if the server accepts the connection.

    psycopg2 documents `pgconn_ptr` for calling libpq, and not where its libpq is: the wheel has one
    of its own. psycopg2's C module is private, and leads to the libpq that it is linked to.
    """
    import ctypes  # a run that is not refused does without it
    import select

    import psycopg2
    from psycopg2 import extensions

    deadline = time.monotonic() + _LONGEST
    libpq = ctypes.PyDLL(psycopg2._psycopg.__file__)
    libpq.PQsetErrorVerbosity.argtypes = [ctypes.c_void_p, ctypes.c_int]
    try:
        with closing(psycopg2.connect(**parameters, async_=True)) as connection:
            libpq.PQsetErrorVerbosity(connection.pgconn_ptr, _VERBOSE)
            while (state := connection.poll()) != extensions.POLL_OK:
                descriptors = [connection.fileno()]
                reads = descriptors if state == extensions.POLL_READ else []
                writes = descriptors if state == extensions.POLL_WRITE else []
                if not any(select.select(reads, writes, [], max(deadline - time.monotonic(), 0))):
                    return b""
    except UnicodeDecodeError as error:
        return error.object
    except psycopg2.OperationalError as error:
        return str(error).encode()
    return b""

"""The parameters of all connections through libpq: time limits for connecting and for silence."""

import os
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds that a PostgreSQL server has to accept a connection, unless a setting says otherwise.
#: Without a limit, a host that drops packets would keep a deploy waiting for minutes.
_CONNECT_TIMEOUT = 10
_LIBPQ_SAYS = {"PGCONNECT_TIMEOUT", "PGSERVICE"}
#: With these, a server whose machine or network is gone is noticed after 20 seconds. The operating
#: system asks the other machine whether it is still there. A server that works for hours on a
#: statement is not affected: its system answers.
_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}


def parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters `given` to a driver, and those that all connections get."""
    bound = {} if _LIBPQ_SAYS & os.environ.keys() else {"connect_timeout": _CONNECT_TIMEOUT}
    return {**bound, **_KEEPALIVES, **given}


def in_a_thread(call: Callable[[], T], seconds: float | None = None) -> T:
    """Run `call` in a thread so that Ctrl-C works, and return what it returns.

    libpq blocks in C, where Python handles no signals.

    Raises what `call` raises, or TimeoutError after `seconds`. The thread is then left alone.
    """
    done = Event()
    returned: list[T] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            returned.append(call())
        except Exception as error:  # noqa: BLE001 - it is raised again in the waiting thread
            raised.append(error)
        done.set()

    Thread(target=run, daemon=True).start()
    if not done.wait(seconds):
        raise TimeoutError
    if raised:
        raise raised[0]
    return returned[0]

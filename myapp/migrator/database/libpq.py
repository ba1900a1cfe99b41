"""What all connections through libpq are given: bounds for opening, and for silence."""

import os
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds that a PostgreSQL server has to answer in, where nothing says otherwise: a host that
#: drops what it is sent would keep a deploy waiting for minutes.
_CONNECT_TIMEOUT = 10
_LIBPQ_SAYS = {"PGCONNECT_TIMEOUT", "PGSERVICE"}
#: A server whose machine or network is gone is noticed after 20 seconds, whether its answer is
#: waited for (the system then asks whether it is still there) or it was sent something. One that
#: works for hours on a statement is not touched: its system answers.
_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}


def parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters `given` to a driver with those that all connections have."""
    bound = {} if _LIBPQ_SAYS & os.environ.keys() else {"connect_timeout": _CONNECT_TIMEOUT}
    return {**bound, **_KEEPALIVES, **given}


def in_a_thread(call: Callable[[], T], seconds: float | None = None) -> T:
    """Return what `call` returns, in a thread: libpq waits in C, where no signal is heard.

    Raises what it raises, or TimeoutError when it hasn't returned within `seconds`; it is left
    behind then.
    """
    done = Event()
    returned: list[T] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            returned.append(call())
        except Exception as error:  # noqa: BLE001 - it goes to who waits
            raised.append(error)
        done.set()

    Thread(target=run, daemon=True).start()
    if not done.wait(seconds):
        raise TimeoutError
    if raised:
        raise raised[0]
    return returned[0]

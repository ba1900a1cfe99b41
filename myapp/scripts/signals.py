"""Ctrl-C, SIGTERM and SIGHUP: cancel what the database runs, then end as interrupted."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..migrator.base.canceller import Canceller

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupts(canceller: Canceller, *, ends_the_process: bool) -> Iterator[None]:
    """Turn these signals into KeyboardInterrupt within, and tell `canceller` of them at once.

    Python runs no signal handler while a driver waits for its server. But it writes the signal's
    number to the wakeup file descriptor, and a thread reads it there.

    With `ends_the_process`, signals are ignored afterwards: the exit status is settled.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's alone
        return

    is_interrupted = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal is_interrupted
        if canceller.is_finished:
            return
        canceller.wait()
        # A second SIGHUP is ignored while the first one is handled.
        if is_interrupted and number == signal.SIGHUP:
            return
        is_interrupted = True
        raise KeyboardInterrupt(number)

    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    listening = threading.Thread(target=_listen, args=(readable, canceller), daemon=True)
    cancelling = threading.Thread(target=canceller.work, daemon=True)
    wakeup = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    # `nohup` starts the process with SIGHUP ignored, and it stays so.
    heard = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    listening.start()
    cancelling.start()
    complain, sys.unraisablehook = sys.unraisablehook, _Dropped(sys.unraisablehook)
    try:
        yield
    finally:
        sys.unraisablehook = complain
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if ends_the_process else handler)
        signal.set_wakeup_fd(wakeup)
        os.close(writable)
        listening.join()
        canceller.close()
        cancelling.join()


class _Dropped:
    """Hides a KeyboardInterrupt that Python had to drop. The canceller knows of the signal."""

    def __init__(self, complain: Callable[[Any], object]) -> None:
        self._complain = complain

    def __call__(self, unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            self._complain(unraisable)


def _listen(readable: int, canceller: Canceller) -> None:
    while number := os.read(readable, 1):
        if number[0] in _SIGNALS:
            canceller.received(number[0])
    os.close(readable)

"""The connections and processes that this package starts for itself while a revision runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_our_own = threading.local()


@contextmanager
def connecting_for_ourselves() -> Iterator[None]:
    """Don't count what this thread opens within as work of the revision."""
    before = is_our_own()
    _our_own.connecting = True
    try:
        yield
    finally:
        _our_own.connecting = before


def is_our_own() -> bool:
    """Tell whether this thread opens connections for this package, not for the revision."""
    return bool(getattr(_our_own, "connecting", False))

"""What this package opens and starts for itself, while a revision runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_our_own = threading.local()


@contextmanager
def connecting_for_ourselves() -> Iterator[None]:
    """Let what this thread opens within count as none of the revision's."""
    before = is_our_own()
    _our_own.connecting = True
    try:
        yield
    finally:
        _our_own.connecting = before


def is_our_own() -> bool:
    """Tell whether what this thread opens now counts as none of the revision's."""
    return bool(getattr(_our_own, "connecting", False))

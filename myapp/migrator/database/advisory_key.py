"""Keys of PostgreSQL's advisory locks."""

import hashlib


def advisory_key(name: str) -> int:
    """Return a 64-bit key for what is called `name`."""
    digest = hashlib.sha256(f"migrate {name}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)

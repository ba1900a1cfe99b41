"""Up to which version of Alembic its rules, which this room imitates, have been compared with ours.

A newer minor version may have changed them, so Alembic itself is asked then.
"""

import re
from functools import cache
from importlib.util import find_spec

#: The newest minor version of Alembic that all tests have run with.
NEWEST_TESTED = (1, 20)
_VERSION = re.compile(r"""^__version__ = ["']((\d+)\.(\d+)[^"']*)["']""", re.MULTILINE)


def untested_alembic() -> str | None:
    """Return a sentence about the installed Alembic where it is newer than what is tested."""
    version = _installed()
    match = _VERSION.search(version or "")
    if match and (int(match[2]), int(match[3])) <= NEWEST_TESTED:
        return None
    newest = ".".join(map(str, NEWEST_TESTED))
    return (
        f"Alembic {match[1] if match else 'of an unknown version'} is newer than {newest}, the"
        " last that this command was tested with: it asks Alembic for everything, and takes longer."
    )


@cache
def _installed() -> str | None:
    """Return the text that tells Alembic's version, without importing anything.

    To import Alembic takes some 300 times longer than this, importlib.metadata some 25 times.
    """
    spec = find_spec("alembic")
    try:
        with open(str(spec and spec.origin), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeError):
        return None

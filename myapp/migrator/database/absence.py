"""Whether a file is certainly not there: what can't be looked at may be."""

import os


def is_absent(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is certainly nothing at `path`; a link that leads nowhere is nothing.

    False where this user may not look, where `path` goes through a file, or is no name at all.
    """
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def can_be_made(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is certainly not there, and has a folder that it can be made in."""
    return is_absent(path) and os.path.isdir(os.path.dirname(os.path.realpath(path)))


def why_not_opened(path: str | os.PathLike[str]) -> str | None:
    """Return why a file can't be opened, as far as a look at it tells."""
    try:
        os.stat(path)
    except FileNotFoundError:
        folder = os.path.dirname(os.path.realpath(path))
        return "its folder does not exist" if is_absent(folder) else None
    except OSError as error:
        return str(error.strerror)
    return "it is a folder" if os.path.isdir(path) else None

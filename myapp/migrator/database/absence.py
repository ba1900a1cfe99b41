"""Whether a file is certainly missing. One that this user may not look at could be there."""

import os


def is_absent(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is certainly no file at `path`. A link to a missing file is none.

    False when this user may not look, and when `path` can't be a path at all.
    """
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def can_be_made(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is certainly missing, and its folder is there."""
    return is_absent(path) and os.path.isdir(os.path.dirname(os.path.realpath(path)))


def why_not_opened(path: str | os.PathLike[str]) -> str | None:
    """Return why a file can't be opened, None if a look at it doesn't tell."""
    try:
        os.stat(path)
    except FileNotFoundError:
        folder = os.path.dirname(os.path.realpath(path))
        return "its folder does not exist" if is_absent(folder) else None
    except OSError as error:
        return str(error.strerror)
    return "it is a folder" if os.path.isdir(path) else None

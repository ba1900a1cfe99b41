"""Throw-away SQLite files, and templates from which they are copied."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import URL

from ..base.errors import DatabaseUnreachable

_SCRATCH, _TEMPLATES = "migrate-scratch-", "migrate-templates-"
_OWNER, _FILE, _BUILDING = "owner", "scratch.sqlite", "building"
_KEPT = 10
#: A folder is left over if it still has no owner's file after so many seconds.
_MAKING = 60.0


class ScratchFiles:
    """Makes files in a temporary folder, which is locked by the process that uses it.

    So the next run knows which folders a killed run has left.
    """

    def __init__(self, folder: Path, url: URL) -> None:
        self._folder = folder
        self._url = url.set(query={})
        self._count = 0

    def sweep(self) -> None:
        """Remove what runs of this user have left that were killed."""
        for each in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
            if _is_own_folder(each) and _is_left(each):
                shutil.rmtree(each, ignore_errors=True)

    def make(self) -> URL:
        """Return the URL of a file that doesn't exist yet. Raises DatabaseUnreachable."""
        folder = self._folder / str(self._count)
        with _told_as_unreachable():
            folder.mkdir()
        self._count += 1
        return self._url.set(database=str(folder / _FILE))

    def copy(self, digest: str) -> URL | None:
        """Make a copy of the template named `digest`, None if there is none."""
        template = self._template(digest)
        if template is None or not template.exists():
            return None
        url = self.make()
        with suppress(OSError):
            shutil.copyfile(template, str(url.database))
            os.utime(template)
            return url
        return None

    def keep(self, url: URL, digest: str) -> None:
        """Keep a copy of the file at `url` as the template named `digest`, where possible."""
        template = self._template(digest)
        if template is None:
            return
        part = template.with_suffix(f".{os.getpid()}")
        try:
            shutil.copyfile(str(url.database), part)
            part.replace(template)
        except OSError:  # the disk is full, say
            part.unlink(missing_ok=True)
            return
        with suppress(OSError):
            by_use = sorted(template.parent.glob("*.sqlite"), key=_last_use, reverse=True)
            for old in by_use[_KEPT:]:
                old.unlink()

    def drop(self, url: URL) -> None:
        """Remove the file at `url`, and what SQLite has put beside it."""
        shutil.rmtree(Path(str(url.database)).parent, ignore_errors=True)

    @contextmanager
    def building(self, digest: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock under which templates are made. Call `waiting` before it is waited for."""
        template = self._template(digest)
        if template is None:
            yield
            return
        with template.with_name(_BUILDING).open("w") as building:
            try:
                fcntl.flock(building, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(building, fcntl.LOCK_EX)
            yield

    def _template(self, digest: str) -> Path | None:
        folder = Path(tempfile.gettempdir(), f"{_TEMPLATES}{os.getuid()}")
        with suppress(OSError):  # mostly it is there
            folder.mkdir(mode=0o700)
        return folder / f"{digest}.sqlite" if _is_own_folder(folder) else None


@contextmanager
def scratch_files(url: URL) -> Iterator[ScratchFiles]:
    """Make a temporary folder, and remove it at the end.

    Raises DatabaseUnreachable when there can be none.
    """
    with _told_as_unreachable():
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH))
    try:
        with (folder / _OWNER).open("w") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            yield ScratchFiles(folder, url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _told_as_unreachable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseUnreachable(
            f"No scratch database can be made, which is a temporary file: {error.strerror}.",
            hint="let `TMPDIR` name a folder that has room, and that this user may write to.",
            retryable=False,
        ) from error


def _is_own_folder(path: Path) -> bool:
    """Tell whether `path` is a folder that only this user may look into."""
    with suppress(OSError):
        found = path.lstat()
        return (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == os.getuid()
            and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        )
    return False


def _is_left(folder: Path) -> bool:
    try:
        with closing((folder / _OWNER).open()) as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except FileNotFoundError:
        return time.time() - _last_use(folder) > _MAKING
    except OSError:
        return False


def _last_use(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0

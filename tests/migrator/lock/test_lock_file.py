"""The lock file among other users, links, odd content and full disks."""

import json
import os
import pwd
import resource
import shutil
import stat
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.command import invoke
from support.history import MakeApp, Revision, create_table

from myapp.migrator.base.errors import DatabaseUnreachable, LockLost, LockNotObtained
from myapp.migrator.lock.sqlite import file_lock

NOW = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder such as /tmp: everyone may write there, and delete nothing of others."""
    folder = Path(tempfile.mkdtemp(prefix="lock-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def lock_of(folder: Path) -> Path:
    return folder / "db.sqlite.migrate-lock"


def hold(folder: Path) -> ExitStack:
    """Take the lock at once, or raise."""
    with ExitStack() as stack:
        stack.enter_context(file_lock(str(folder / "db.sqlite"), "test", 0, print))
        return stack.pop_all()


def in_child(action: Callable[[], object], *, as_nobody: bool = False) -> str:
    """Run `action` in a child process, and return the name of what it raised."""
    if as_nobody and os.geteuid():
        pytest.skip("only root can become another user")
    readable, writable = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test runner's threads take no lock that matters here
        child = os.fork()
    if child == 0:
        told = ""
        try:
            if as_nobody:
                os.setgroups([])
                os.setgid(pwd.getpwnam("nobody").pw_gid)
                os.setuid(pwd.getpwnam("nobody").pw_uid)
            action()
        except BaseException as error:  # noqa: BLE001 - the parent hears of it
            told = f"{type(error).__name__}: {error}"
        finally:
            os.write(writable, told.encode())
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def test_a_link_in_its_place_is_refused_and_what_it_leads_to_left_alone(shared: Path) -> None:
    precious = shared / "precious"
    precious.write_text("kept")
    lock_of(shared).symlink_to(precious)
    with pytest.raises(DatabaseUnreachable) as raised:
        hold(shared)
    assert raised.value.message == (
        f"The lock file {lock_of(shared)} is a link, and a lock is never written through one."
    )
    assert precious.read_text() == "kept"


def test_a_second_name_of_another_file_is_locked_and_not_written(shared: Path) -> None:
    precious = shared / "precious"
    precious.write_text("kept")
    os.link(precious, lock_of(shared))
    with hold(shared):
        assert in_child(lambda: hold(shared)).startswith("LockNotObtained")
    assert precious.read_text() == "kept"
    assert not lock_of(shared).exists()


def test_no_link_that_is_put_there_meanwhile_is_written_through(shared: Path) -> None:
    precious = shared / "precious"
    precious.write_text("kept")
    stop = threading.Event()

    def attack() -> None:
        other = shared / "link"
        while not stop.is_set():
            with suppress(OSError):
                other.symlink_to(precious)
                other.replace(lock_of(shared))

    attacker = threading.Thread(target=attack)
    attacker.start()
    for _ in range(300):
        with suppress(DatabaseUnreachable, LockNotObtained), hold(shared):
            pass
    stop.set()
    attacker.join()
    assert precious.read_text() == "kept"


def test_a_pipe_in_its_place_is_told(shared: Path) -> None:
    os.mkfifo(lock_of(shared))
    with pytest.raises(DatabaseUnreachable, match="it is not a regular file"):
        hold(shared)


def test_a_lock_that_another_user_holds_is_waited_for(shared: Path) -> None:
    with hold(shared):
        told = in_child(lambda: hold(shared), as_nobody=True)
    assert told.startswith(
        f"LockNotObtained: Another run is migrating this database: pid {os.getpid()} on "
    )


@pytest.mark.parametrize("sticky", [True, False])
def test_a_file_that_another_users_killed_run_left_is_taken(shared: Path, sticky: bool) -> None:
    shared.chmod(0o1777 if sticky else 0o777)
    lock_of(shared).write_text(json.dumps([1, "left", "elsewhere", NOW]))
    lock_of(shared).chmod(0o644)

    def take() -> None:
        with hold(shared) as stack:
            assert stack is not None
            found = lock_of(shared).read_text()
            # Where only its owner may delete it, the old name stays.
            assert ("left" in found) == sticky, found

    assert in_child(take, as_nobody=True) == ""
    assert lock_of(shared).exists() == sticky
    assert in_child(take, as_nobody=True) == ""


def test_a_file_that_may_not_even_be_read_is_told(shared: Path) -> None:
    lock_of(shared).touch(mode=0o600)
    told = in_child(lambda: hold(shared), as_nobody=True)
    assert told == (
        f"DatabaseUnreachable: The lock file {lock_of(shared)} can't be used: Permission denied."
    )


def test_who_may_write_the_database_may_take_a_lock_that_was_left(shared: Path) -> None:
    (shared / "db.sqlite").touch()
    (shared / "db.sqlite").chmod(0o660)
    with hold(shared):
        assert stat.S_IMODE(lock_of(shared).stat().st_mode) == 0o660


def test_root_leaves_a_file_of_the_databases_owner(shared: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    (shared / "db.sqlite").touch()
    os.chown(shared / "db.sqlite", 65534, 65534)
    with hold(shared):
        assert lock_of(shared).stat().st_uid == 65534


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"{}",
        b'{"pid": 1}',
        b"[1]",
        b"12345",
        b'"text"',
        b"[null, null, null, null]",
        b'[1, "a", "b", "yesterday"]',
        b'[1, "a", "b", "2026-01-01T00:00:00"]',
        b'[1, "a", "b", "0001-01-01T00:00:00+23:00"]',
        b'[1, "a", "b", "9999-12-31T23:59:59-12:00"]',
        b'[-5, "a", "b", "2026-01-01T00:00:00+00:00"]',
        b'["1", "a", "b", "2026-01-01T00:00:00+00:00"]',
        b"[" * 5000,
        b"7" * 5000,
        b"x" * 10_000_000,
    ],
    ids=lambda content: content[:20].decode(errors="replace"),
)
def test_odd_content_is_an_unknown_holder(shared: Path, content: bytes) -> None:
    with hold(shared):
        lock_of(shared).write_bytes(content)
        told = in_child(lambda: hold(shared))
    assert told == (
        "LockNotObtained: Another run is migrating this database. It did not finish within 0 s."
    )
    lock_of(shared).write_bytes(content)
    with hold(shared):
        assert json.loads(lock_of(shared).read_text())[0] == os.getpid()


def test_a_full_disk_leaves_a_lock_without_a_name(shared: Path) -> None:
    def take() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        with hold(shared):
            assert lock_of(shared).read_bytes() == b""

    assert in_child(take) == ""
    assert not lock_of(shared).exists()


def test_a_lock_file_that_is_replaced_is_lost_and_left(shared: Path) -> None:
    with ExitStack() as stack:
        held = stack.enter_context(file_lock(str(shared / "db.sqlite"), "test", 0, print))
        lock_of(shared).unlink()
        lock_of(shared).write_text("another's")
        with pytest.raises(LockLost):
            held.require_held()
    assert lock_of(shared).read_text() == "another's"


def test_a_lock_file_of_odd_content_stops_no_command(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [Revision("aaa111", **create_table("a"))])
    (ini.parent / "test.sqlite.migrate-lock").write_bytes(b"{}")
    assert invoke(ini, "upgrade").returncode == 0
    assert not (ini.parent / "test.sqlite.migrate-lock").exists()

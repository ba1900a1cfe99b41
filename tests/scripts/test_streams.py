"""Standard streams that are closed, full, or read by nobody."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.command import SCRIPTS, invoke
from support.database import heads, tables
from support.examples import pairs
from support.history import MakeApp, Revision, create_table
from support.processes import until

TABLE = Revision("aaa111", message="add a", **create_table("a"))
ENDLESS = Revision(
    "bbb222",
    "aaa111",
    "count",
    upgrade="""\
    import pathlib
    pathlib.Path(op.get_bind().engine.url.database + ".reached").touch()
    op.execute(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    )
    """,
)
CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"]
#: PYTHONUNBUFFERED, as a user has it, and as containers often do.
BUFFERED = [None, "1"]


def environment(unbuffered: str | None) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return env | ({"PYTHONUNBUFFERED": unbuffered} if unbuffered else {})


def shell(command: str, unbuffered: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", f"M='{SCRIPTS / 'myapp-migrate'}'; {command}"],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment(unbuffered),
    )


@pytest.mark.parametrize("closed", CLOSED)
def test_a_run_without_a_standard_stream_hears_a_signal(
    closed: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, [TABLE, ENDLESS])
    command = f"exec '{SCRIPTS / 'myapp-migrate'}' '{ini}' upgrade {closed}"
    with subprocess.Popen(
        ["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            until((tmp_path / "test.sqlite.reached").exists)
            running.send_signal(signal.SIGTERM)
            stdout, stderr = running.communicate(timeout=10)
        finally:
            running.kill()
    assert (running.returncode, stdout) == (143, "")
    assert "Traceback" not in stderr
    assert ("2>" in closed) or stderr.splitlines()[1:] == [
        "Error: Terminated in revision bbb222 (count). The database stands at aaa111 (add a)."
    ]
    assert tables(sqlite_url) == {"a", "alembic_version"}


@pytest.mark.parametrize(("closed", "unbuffered"), pairs(CLOSED, BUFFERED))
def test_who_closes_a_stream_wants_nothing_of_it(
    closed: str, unbuffered: str | None, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [TABLE])
    upgraded = shell(f"\"$M\" '{ini}' upgrade {closed}", unbuffered)
    assert upgraded.returncode == 0
    assert "Traceback" not in upgraded.stderr
    assert heads(sqlite_url) == {"aaa111"}
    told = shell(f"\"$M\" '{ini}' heads --json {closed}", unbuffered)
    assert (told.returncode, told.stderr) == (0, "")
    assert (told.stdout == "") == (">&- " in f"{closed} ".replace("2>&-", ""))


def test_nothing_is_written_where_a_closed_stream_was(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    prints = 'print("printed"); __import__("os").system("echo by a child; echo too >&2")'
    ini = make_app(sqlite_url, [Revision("aaa111", upgrade=prints)])
    assert shell(f"\"$M\" '{ini}' upgrade -v <&- >&- 2>&-").returncode == 0
    assert invoke(ini, "current").stdout == "aaa111 (head), a change\n"
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"by a child\n" not in path.read_bytes().replace(
            prints.encode(), b""
        )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that Linux has")
@pytest.mark.parametrize(
    ("case", "unbuffered"),
    pairs(
        [("upgrade", 0), ("upgrade zzzz", 2), ("current -c", 3), ("frobnicate", 2), ("--help", 0)],
        BUFFERED,
    ),
)
def test_a_story_that_can_not_be_written_changes_no_exit_status(
    case: tuple[str, int], unbuffered: str | None, make_app: MakeApp, sqlite_url: str
) -> None:
    command, status = case
    ini = make_app(sqlite_url, [TABLE])
    assert shell(f"\"$M\" '{ini}' {command} 2>/dev/full", unbuffered).returncode == status


@pytest.mark.parametrize(
    ("case", "unbuffered"),
    pairs([("upgrade -v", 0), ("upgrade zzzz", 2), ("current -c", 3)], BUFFERED),
)
def test_so_does_one_that_nobody_reads(
    case: tuple[str, int], unbuffered: str | None, make_app: MakeApp, sqlite_url: str
) -> None:
    command, status = case
    ini = make_app(sqlite_url, [TABLE])
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [SCRIPTS / "myapp-migrate", ini, *command.split()],
        stdout=subprocess.DEVNULL,
        stderr=writing,
        check=False,
        env=environment(unbuffered),
    )
    os.close(writing)
    assert done.returncode == status

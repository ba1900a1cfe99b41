"""What every command has in common: where its story goes, and what is put back afterwards."""

import io
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import run
from support.history import MakeApp, Revision

from myapp.migrator.base.canceller import Canceller
from myapp.migrator.settings.redaction import Redactor
from myapp.scripts.console import Console
from myapp.scripts.invocation import Invocation
from myapp.scripts.signals import interrupts
from myapp.scripts.story import Story

LOGGING = """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys =
[logger_root]
level = {level}
handlers = file
[handler_file]
class = FileHandler
args = (r'%(here)s/%(name)s.log',)
"""


class Full(io.StringIO):
    """A stream whose disk is full."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def story(stream: io.StringIO) -> Story:
    redactor = Redactor()
    redactor.add(["s3cret!"])
    return Story(stream, redactor)


# The story


def test_all_ways_to_write_are_redacted(story: Story, stream: io.StringIO) -> None:
    story.write("1 s3cret!\n")
    story.writelines(["2 ", "s3cret!\n"])
    story.buffer.write(b"3 s3cret!\n")
    print("4", "s3cret!", file=story)
    assert stream.getvalue() == "1 ***\n2 ***\n3 ***\n4 ***\n"


def test_bytes_that_are_no_text_are_written_all_the_same(story: Story, stream: io.StringIO) -> None:
    story.buffer.write(b"caf\xc3\xa9 \xff")
    assert stream.getvalue() == "café \\xff"


def test_what_is_written_counts_as_written(story: Story) -> None:
    assert story.write("s3cret!") == 7
    assert story.writable()
    assert not story.readable()


def test_a_line_of_the_commands_own_is_shown_as_it_is(story: Story, stream: io.StringIO) -> None:
    story.write_line("\x1b[1ms3cret!\x1b[0m")
    story.write_line("\x1b[1mbold\x1b[0m", color=True)
    assert stream.getvalue() == "s3cret!\n\x1b[1mbold\x1b[0m\n"


def test_a_passing_line_is_for_a_terminal_only(story: Story, stream: io.StringIO) -> None:
    story.write_passing_line("running ...")
    story.clear_passing_line()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("make", [Full, lambda: None])
def test_a_stream_that_takes_nothing_stops_nothing(make: Callable[[], io.StringIO | None]) -> None:
    story = Story(make(), Redactor())
    story.write("text")
    story.write_line("text")
    story.flush()
    assert (story.isatty(), story.encoding, story.columns) == (False, "utf-8", 80)


def test_a_closed_stream_stops_nothing(story: Story, stream: io.StringIO) -> None:
    stream.close()
    story.write("text")


def test_everything_is_put_back_afterwards() -> None:
    def state() -> tuple[object, ...]:
        return (
            sys.stdout,
            sys.stderr,
            os.fstat(1),
            os.fstat(2),
            logging.getLogRecordFactory(),
            logging.root.manager.disable,
        )

    before = state()
    console = Console(Invocation(quiet=True, verbose=True, command="upgrade"))

    def fail() -> None:
        with console.story():
            assert sys.stdout is sys.stderr
            assert os.fstat(1) == os.fstat(2)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert state() == before


def test_no_file_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Console(Invocation()).story():
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_invocation_shows_no_variable_when_printed() -> None:
    assert "s3cret" not in repr(Invocation(config_vars={"db_password": "s3cret"}))


def test_a_warning_is_redacted_and_quiet_leaves_it_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = Console(Invocation())
    console.redactor.add(["s3cret!"])
    console.warn("mind the s3cret!\nin two lines")
    assert capsys.readouterr().err == "Warning: mind the ***\n       in two lines\n"
    console.typed.quiet = True
    console.warn("mind")
    assert capsys.readouterr().err == ""


def test_sigterm_is_an_interrupt_for_as_long_as_a_command_runs() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def terminated() -> None:
        with interrupts(Canceller(), ends_the_process=False):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt) as caught:
        terminated()
    assert caught.value.args == (signal.SIGTERM,)
    assert signal.getsignal(signal.SIGTERM) is before


# Logging


def test_logs_go_where_the_ini_says(make_app: MakeApp, sqlite_url: str) -> None:
    logs = "import logging; logging.info('one'); logging.getLogger('a.b').warning('two')"
    ini = make_app(
        sqlite_url, [Revision("aaaa1", upgrade=logs)], extra=LOGGING.format(level="INFO")
    )
    result = run(ini, "name=deploy", "upgrade")
    assert result.returncode == 0, result.stderr
    lines = (ini.parent / "deploy.log").read_text().splitlines()
    assert ("one" in lines, "two" in lines) == (True, True)
    assert "two" not in result.stderr


def test_without_logging_sections_warnings_are_shown(make_app: MakeApp, sqlite_url: str) -> None:
    logs = "import logging; logging.info('one'); logging.getLogger('a.b').warning('two')"
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=logs)])
    lines = run(ini, "upgrade").stderr.splitlines()
    assert lines[0] == "WARNING:a.b:two"
    assert len(lines) == 2


def test_logging_sections_that_are_wrong_are_an_error_without_a_traceback(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1")], extra=LOGGING.format(level="LOUD"))
    result = run(ini, "name=x", "upgrade")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: The logging sections of {ini} can't be used: ValueError: Unknown level: 'LOUD'.\n"
        "Hint:  fix [loggers], [handlers] and [formatters].\n"
    )
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_an_error_that_is_a_bug_says_so_and_how_to_learn_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = Console(Invocation())
    console.redactor.add(["s3cret!"])
    assert console.fail(RuntimeError("a\n s3cret!")) == 70
    assert capsys.readouterr().err == (
        "Error: Unexpected RuntimeError: a ***. This is a bug, or something that this command"
        " doesn't know of.\n"
        "Hint:  add `--traceback` to see where it came from.\n"
    )

"""A log handler that fails is a warning, and ends no run."""

import logging
import logging.handlers
from pathlib import Path

import pytest
from support.command import invoke, run
from support.history import MakeApp, Revision, create_table

from myapp.scripts.log_handlers import failures_told

ONE = [Revision("aaaa1", None, "create a", **create_table("a"))]
LOGS = "import logging; [logging.getLogger('shop').warning('%d', n) for n in range(50)]"
LOGGING = """
[loggers]
keys = root
[handlers]
keys = log, console
[formatters]
keys =
[logger_root]
level = INFO
handlers = log, console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = ERROR
[handler_log]
class = {handler}
args = {args}
"""
#: As a cookiecutter's env.py does: it sets up logging again.
OWN_ENV = """\
from alembic import context
from pyramid.paster import setup_logging
from sqlalchemy import create_engine

setup_logging(context.config.config_file_name)
with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
GOES_ON = "The command goes on without it.\n"


def warnings(story: str) -> list[str]:
    return [line for line in story.splitlines(keepends=True) if not line.startswith("[")]


@pytest.mark.parametrize(
    ("handler", "env"),
    [
        ("FileHandler", None),
        ("FileHandler", OWN_ENV),
        ("handlers.RotatingFileHandler", OWN_ENV),
        ("handlers.WatchedFileHandler", None),
    ],
    ids=["file", "file, own env.py", "rotating, own env.py", "watched"],
)
def test_a_log_file_that_cannot_be_opened_is_a_warning(
    make_app: MakeApp, sqlite_url: str, handler: str, env: str | None
) -> None:
    logging_of = LOGGING.format(handler=handler, args="(r'%(here)s/none/shop.log',)")
    ini = make_app(sqlite_url, [*ONE, Revision("bbbb2", "aaaa1", upgrade=LOGS)], extra=logging_of)
    if env:
        (ini.parent / "migrations" / "env.py").write_text(env)
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert warnings(result.stderr) == [
        f"Warning: the log file {ini.parent}/none/shop.log can't be written: No such file or"
        f" directory. {GOES_ON}"
    ]


def test_a_syslog_that_is_not_there_is_a_warning(make_app: MakeApp, sqlite_url: str) -> None:
    logging_of = LOGGING.format(handler="handlers.SysLogHandler", args="('%(here)s/none',)")
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=LOGS)], extra=logging_of)
    result = run(ini, "upgrade")
    assert (result.returncode, warnings(result.stderr)) == (
        0,
        [
            "Warning: the log handler `log` (SysLogHandler) can't be written: No such file or"
            f" directory. {GOES_ON}"
        ],
    )


def test_so_is_a_host_that_has_no_address(make_app: MakeApp, sqlite_url: str) -> None:
    logging_of = LOGGING.format(handler="handlers.SysLogHandler", args="(('none.invalid', 514),)")
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=LOGS)], extra=logging_of)
    result = run(ini, "upgrade")
    assert (result.returncode, len(warnings(result.stderr))) == (0, 1)


def test_a_disk_that_is_full_is_told_once(make_app: MakeApp, sqlite_url: str) -> None:
    logging_of = LOGGING.format(handler="FileHandler", args="('/dev/full',)")
    result = run(
        make_app(sqlite_url, [Revision("aaaa1", upgrade=LOGS)], extra=logging_of), "upgrade"
    )
    assert (result.returncode, warnings(result.stderr)) == (
        0,
        [f"Warning: the log file /dev/full can't be written: No space left on device. {GOES_ON}"],
    )


def test_a_file_that_is_opened_with_its_first_record_ends_no_run(
    make_app: MakeApp, sqlite_url: str
) -> None:
    logging_of = LOGGING.format(handler="FileHandler", args="('none/x', 'a', None, True)")
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=LOGS)], extra=logging_of)
    result = invoke(ini, "upgrade")
    assert (result.returncode, len(warnings(result.stderr))) == (0, 1)


def test_so_is_a_handler_that_opens_something_by_itself(make_app: MakeApp, sqlite_url: str) -> None:
    logging_of = LOGGING.format(handler="StreamHandler", args="(open('/none/x', 'w'),)")
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=LOGS)], extra=logging_of)
    result = invoke(ini, "upgrade")
    warning, *logged = warnings(result.stderr)
    assert (result.returncode, warning) == (
        0,
        f"Warning: the logging sections of {ini} can't be used: No such file or directory. What is"
        " logged goes to standard error.\n",
    )
    assert logged[0] == "WARNING:shop:0\n"


def test_quiet_tells_nothing_of_it(make_app: MakeApp, sqlite_url: str) -> None:
    logging_of = LOGGING.format(handler="FileHandler", args="('/dev/full/x',)")
    result = invoke(make_app(sqlite_url, ONE, extra=logging_of), "upgrade", "-q")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_secret_in_a_handlers_error_is_not_told(make_app: MakeApp, sqlite_url: str) -> None:
    logging_of = LOGGING.format(handler="FileHandler", args="('/none/%(pw)s/x',)")
    ini = make_app("postgresql://me:s3cretpw@nowhere/x", ONE, extra=logging_of)
    assert "s3cretpw" not in invoke(ini, "pw=s3cretpw", "heads").stderr


def test_a_log_call_with_wrong_arguments_is_still_python_s_to_tell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told: list[str] = []
    logger = logging.Logger("its own, since pytest's handler raises")
    logger.addHandler(logging.StreamHandler())
    with failures_told(told.append):
        logger.warning("%d", "x")
    assert (told, capsys.readouterr().err[:23]) == ([], "--- Logging error ---\nT")


def test_the_handlers_classes_are_as_before_afterwards(tmp_path: Path) -> None:
    def state() -> list[object]:
        return [
            logging.Handler.handle,
            logging.Handler.handleError,
            logging.FileHandler.__init__,
            logging.handlers.SysLogHandler.__init__,
        ]

    before = state()
    with failures_told(print):
        assert not set(before) & set(state())
    assert state() == before
    with pytest.raises(FileNotFoundError):
        logging.FileHandler(tmp_path / "none" / "x")

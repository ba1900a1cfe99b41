"""What is logged holds no secret, whoever writes it."""

import io
import logging
from collections.abc import Iterator

import pytest
from support.command import invoke, run
from support.history import MakeApp, Revision, create_table

from myapp.migrator.settings.redaction import Redactor
from myapp.scripts.logs import redacted_logs


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler of the application's own writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("redaction")
    logger.addHandler(handler)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)
    logger.propagate = True


def test_a_log_record_is_redacted_whichever_handler_writes_it(
    redactor: Redactor, log: io.StringIO
) -> None:
    redactor.add(["s3cret!"])
    with redacted_logs(redactor):
        logging.getLogger("redaction").warning("url %s, %r", "s3cret!", {"a": "s3cret!"})
    assert log.getvalue() == "WARNING url ***, {'a': '***'}\n"


def test_a_logged_exception_is_redacted(redactor: Redactor, log: io.StringIO) -> None:
    redactor.add(["s3cret!"])
    with redacted_logs(redactor):
        try:
            raise ValueError("s3cret!")
        except ValueError:
            logging.getLogger("redaction").exception("failed", stack_info=True)
    written = log.getvalue()
    assert "ValueError: ***" in written
    assert "Stack (most recent call last)" in written
    assert "s3cret!" not in written
    assert 'raise ValueError("***")' in written


def test_a_formatter_of_its_own_finds_no_exception_to_render(
    redactor: Redactor, log: io.StringIO
) -> None:
    class Own(logging.Formatter):
        def formatException(self, ei: object) -> str:  # noqa: N802 # the name is logging's
            return f"own: {ei}"

    logger = logging.getLogger("redaction")
    logger.handlers[0].setFormatter(Own("%(message)s"))
    redactor.add(["s3cret!"])
    with redacted_logs(redactor):
        logger.error("failed", exc_info=ValueError("s3cret!"))
    assert log.getvalue() == "failed\nValueError: ***\n"


def test_a_log_call_with_wrong_arguments_stops_nothing(
    redactor: Redactor, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.Logger("its own, since pytest's handler raises")
    logger.addHandler(logging.StreamHandler())
    with redacted_logs(redactor):
        logger.warning("%d", "x")
    assert capsys.readouterr().err.startswith("--- Logging error ---\n")


def test_log_records_are_left_alone_afterwards(redactor: Redactor, log: io.StringIO) -> None:
    before = logging.getLogRecordFactory()
    redactor.add(["s3cret!"])
    with redacted_logs(redactor):
        pass
    assert logging.getLogRecordFactory() is before


# What Alembic logs, where the .ini file's root logger is at INFO, as the cookiecutter's is

LOGGING = """
[loggers]
keys = root{more}
[handlers]
keys = console
[formatters]
keys =
[logger_root]
level = INFO
handlers = console
[logger_own]
level = {level}
handlers =
qualname = {name}
[handler_console]
class = StreamHandler
args = (sys.stderr,)
"""
ONE = [Revision("aaaa1", None, "create a", **create_table("a"))]
COOKIECUTTERS_ENV = """\
from alembic import context
from pyramid.paster import get_appsettings, setup_logging
from sqlalchemy import engine_from_config

setup_logging(context.config.config_file_name)
settings = get_appsettings(context.config.config_file_name)
with engine_from_config(settings, "sqlalchemy.").connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def logging_of(name: str = "", level: str = "INFO") -> str:
    return LOGGING.format(more=", own" if name else "", name=name, level=level)


@pytest.mark.parametrize(
    ("command", "env"),
    [
        (["history"], COOKIECUTTERS_ENV),
        (["show", "head"], None),
        (["downgrade", "base"], COOKIECUTTERS_ENV),
        (["downgrade", "base"], None),
    ],
    ids=lambda value: "cookiecutter" if value == COOKIECUTTERS_ENV else None,
)
def test_a_root_logger_at_info_is_not_alembics(
    make_app: MakeApp, sqlite_url: str, command: list[str], env: str | None
) -> None:
    ini = make_app(sqlite_url, ONE, extra=logging_of())
    if env:
        (ini.parent / "migrations" / "env.py").write_text(env)
    # Pyramid itself warns of pkg_resources.
    result = run(ini, *command, "--json", env={"PYTHONWARNINGS": "ignore"})
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "option"), [("alembic", "-q"), ("alembic.runtime.migration", "--json"), ("", "-v")]
)
def test_alembic_logs_what_was_asked_for_but_no_plugins(
    make_app: MakeApp, sqlite_url: str, name: str, option: str
) -> None:
    ini = make_app(sqlite_url, ONE, extra=logging_of(name))
    story = run(ini, "upgrade", option).stderr
    assert ("Context impl SQLiteImpl" in story, "plugin" in story) == (option != "-q", False)


def test_what_the_application_logs_is_shown_as_before(make_app: MakeApp, sqlite_url: str) -> None:
    logs = "import logging; logging.getLogger('shop').info('filled')"
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=logs)], extra=logging_of())
    assert "filled\n" in invoke(ini, "upgrade").stderr


def test_a_level_that_a_calling_program_gave_alembic_is_left_alone(
    make_app: MakeApp, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ini = make_app(sqlite_url, ONE, extra=logging_of())
    with caplog.at_level("INFO", logger="alembic"):
        assert "Context impl SQLiteImpl" in invoke(ini, "upgrade").stderr

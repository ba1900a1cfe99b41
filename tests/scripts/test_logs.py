"""What is logged holds no secret, whoever writes it."""

import io
import logging
from collections.abc import Iterator

import pytest

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

"""A plugin for the pytest that runs Alembic's own tests: they go through this command."""

import itertools
import re
import shutil
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from uuid import uuid4

import alembic.util
import pytest

from .differences import DIFFERENCES, NOT_OF_A_COMMAND

#: What the tests of a backend have in their class's name.
_BACKEND = re.compile(r"_sqlite\+pysqlite[\d_]*")

_classes: list[type | None] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for a run of all tests."""
    parser.addoption("--replay-all", action="store_true", help="All tests are there.")


def pytest_configure() -> None:
    """Replace Alembic's commands before its tests import them.

    Ids come in ascending order, as the tests expect of the files that they write: they are read in
    the order of their names.
    """
    numbers = itertools.count()
    alembic.util.rev_id = lambda: f"{next(numbers):03x}{uuid4().hex[:9]}"
    from . import answered_directories, calls  # which import the command, and with it that function

    calls.replace_commands()
    answered_directories.replace_answers()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect each test to fail that meets a difference on purpose, and no other."""
    left_out = [item for item in items if _named(item, NOT_OF_A_COMMAND)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    used = set()
    for line, tests in DIFFERENCES.items():
        for item in items:
            if pattern := _named(item, tests):
                reason = f"{line}: {tests[pattern]}"
                item.add_marker(pytest.mark.xfail(strict=True, reason=reason))
                used.add(pattern)
    unused = {pattern for tests in DIFFERENCES.values() for pattern in tests} - used
    if unused and config.getoption("--replay-all"):
        raise pytest.UsageError(f"No test has such a name: {', '.join(unused)}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Function) -> None:
    """Begin each class of tests in a clean folder: one whose setup has failed doesn't tidy up."""
    if item.cls not in _classes[-1:]:
        _classes.append(item.cls)
        _tidy_up()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Iterator[None]:
    """Let no failed setup stop the tests after it."""
    if call.when == "setup" and call.excinfo:
        _tidy_up()
    return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where it was Alembic's own commands that were tested."""
    from . import calls

    if session.config.getoption("--replay-all") and len(calls.ran) < session.testscollected:
        raise pytest.UsageError(f"This command has run {len(calls.ran)} times only.")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often this command has run."""
    from . import answered_directories, calls

    terminalreporter.write_line(
        f"This command has run {len(calls.ran)} times, and has read or planned"
        f" {len(answered_directories.answered)} times in the place of a ScriptDirectory."
    )


def _named(item: pytest.Item, patterns: Iterable[str]) -> str | None:
    """Return the pattern that names the test, None if none does."""
    name = _BACKEND.sub("", item.nodeid.removeprefix("tests/test_"))
    return next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)


def _tidy_up() -> None:
    from alembic.testing.env import clear_staging_env  # after Alembic's conftest has begun

    clear_staging_env()
    shutil.rmtree("scratch", ignore_errors=True)

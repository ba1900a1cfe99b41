"""Fixtures of pytest: a migrated database for each test, or a transaction that is rolled back.

pytest finds this module by its entry point, so it imports nothing that a test doesn't use.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import Connection

    from .base.scratch import Scratch
    from .commands.scratch_pool import ScratchPool

_INI_FILES = ("testing.ini", "development.ini")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting that name the .ini file."""
    group = parser.getgroup("migrate", "migrated databases")
    group.addoption(
        "--migrate-ini",
        metavar="INI_FILE",
        help="The .ini file of migrated_database, and NAME=VALUE pairs after it. Write it with `=`,"
        " or pytest looks for tests there.",
    )
    parser.addini(
        "migrate_ini",
        type="args",
        help="The .ini file of migrated_database, and NAME=VALUE pairs after it. By default"
        " testing.ini or development.ini.",
    )


@pytest.fixture
def migrated_database(_migrated_scratch: Scratch) -> str:
    """Return the URL of a database at the heads, with what the revisions made and nothing else."""
    return _migrated_scratch.url


@pytest.fixture
def migrated_engine(_migrated_scratch: Scratch, _migrated_pool: ScratchPool) -> Iterator[Engine]:
    """Yield an engine of the database of `migrated_database`, with the options of the .ini file."""
    engine = _migrated_pool.engine(_migrated_scratch)
    yield engine
    engine.dispose()


@pytest.fixture
def migrated_connection(_migrated_once: _Once) -> Iterator[Connection]:
    """Yield a connection in a transaction, which is rolled back after the test.

    All tests of a process share its database. `Session(migrated_connection)` joins it, and commits
    into savepoints.
    """
    from sqlalchemy.exc import SQLAlchemyError

    engine = _migrated_once.engine()
    is_as_before = False
    with engine.connect() as connection:
        connection.begin()
        savepoint = connection.begin_nested()
        yield connection
        if savepoint.is_active:
            with suppress(SQLAlchemyError):  # it fails when SQL has ended the transaction
                savepoint.rollback()
                is_as_before = True
    engine.dispose()  # locks of a session outlive its transactions
    if not is_as_before or _migrated_once.is_written:
        _migrated_once.close()


@pytest.fixture
def _migrated_scratch(_migrated_pool: ScratchPool) -> Iterator[Scratch]:
    with _migrated_pool.database() as made:
        yield made


@pytest.fixture(scope="session")
def _migrated_once(_migrated_pool: ScratchPool) -> Iterator[_Once]:
    once = _Once(_migrated_pool)
    yield once
    once.close()


@pytest.fixture(scope="session")
def _migrated_pool(pytestconfig: pytest.Config) -> Iterator[ScratchPool]:
    """Yield the databases of this process.

    A revision that fails does so once, for all its tests.
    """
    from .base.errors import MigrateError
    from .bridge.configuration import build_context
    from .commands.scratch_pool import scratch_pool
    from .settings.redaction import Redactor
    from .settings.settings import load_settings

    redactor = Redactor()
    config_uri, config_vars = _ini_file(pytestconfig)
    told = None
    try:
        with redactor.in_use():
            settings = load_settings(config_uri, config_vars, learn=redactor.add)
            context = build_context(settings, application="pytest", command="upgrade")
            with scratch_pool(context) as pool:
                with pool.database():
                    pass
                yield pool
    except MigrateError as error:
        told = error
    if told is not None:  # raised in the `except`, it would be shown with its traceback
        command_line = f"{__name__.partition('.')[0]}-migrate {config_uri}"
        hint = (told.hint or "").replace("{cmd}", command_line)
        _fail(redactor.redact(told.message), redactor.redact(hint))


class _Once:
    """The one database of all tests whose transaction is rolled back."""

    def __init__(self, pool: ScratchPool) -> None:
        self._pool = pool
        self._stack = ExitStack()
        self._engine: Engine | None = None
        #: Whether a connection of the engine has committed.
        self.is_written = False

    def engine(self) -> Engine:
        """Return an engine of the database, which is made at the first call."""
        if self._engine is None:
            from sqlalchemy.event import listen

            self.is_written = False
            self._engine = self._pool.engine(self._stack.enter_context(self._pool.database()))
            self._stack.callback(self._engine.dispose)
            listen(self._engine, "commit", self._note)
        return self._engine

    def close(self) -> None:
        """Give the database back. The next call makes another one."""
        self._engine = None
        self._stack.close()

    def _note(self, _: Connection) -> None:
        self.is_written = True


def _ini_file(config: pytest.Config) -> tuple[str, dict[str, str]]:
    """Return the .ini file and its variables, from the option, the setting or the root folder."""
    typed = config.getoption("--migrate-ini")
    folder = config.invocation_params.dir if typed else config.rootpath
    try:
        words = shlex.split(typed) if typed else config.getini("migrate_ini")
    except ValueError:
        words = [typed, ""]  # a quote is not closed
    if not words:
        words = [name for name in _INI_FILES if (folder / name).is_file()][:1]
    if not words:
        _fail(
            f"There is no .ini file for migrated databases in {folder}: neither"
            f" {' nor '.join(_INI_FILES)}.",
            "name it with `--migrate-ini=INI_FILE`, or `migrate_ini` in pytest's settings.",
        )
    config_uri, *pairs = words
    if any("=" not in pair for pair in pairs):
        _fail(
            f"`{' '.join(words).strip()}` is not an .ini file with NAME=VALUE pairs after it.",
            "write `--migrate-ini='testing.ini name=value'`, with quotes.",
        )
    return str(folder / config_uri), dict(pair.split("=", 1) for pair in pairs)


def _fail(message: str, hint: str | None) -> NoReturn:
    pytest.fail(f"Error: {message}" + (f"\nHint:  {hint}" if hint else ""), pytrace=False)

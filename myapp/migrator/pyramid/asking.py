"""Ask where a database stands: one question at a time, within a time, on one connection."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from ..base.errors import DatabaseUnreachable, MigrateError
from ..base.stopping import cut
from ..database.absence import is_absent
from ..database.engine import make_engine, open_connection
from ..database.failures import database_failed, described
from ..database.url import sqlite_file
from ..settings.settings import Settings
from .code import KeptCode
from .hushing import hushed
from .look import Look
from .telling import in_one_line

logger = logging.getLogger(__name__)


class Asking:
    """Asks for one process. Those who ask while a question is open get the same answer."""

    def __init__(self, settings: Callable[[], Settings], code: KeptCode) -> None:
        self._settings = settings
        self._code = code
        self._mutex = threading.Lock()
        self._question: _Question | None = None
        self._engine: Engine | None = None
        #: What was seen last.
        self.last: Look | None = None

    def begin(self, seconds: float) -> _Question:
        """Begin a look that takes up to `seconds`, unless one is under way."""
        with self._mutex:
            question = self._question
            if question is None or question.has_ended.is_set():
                question = self._question = _Question(seconds)
                threading.Thread(
                    target=self._answer, args=(question,), name="migrations", daemon=True
                ).start()
            elif question.is_late:  # nobody may wait for it
                question.give_up()
            return question

    def ask(self, seconds: float) -> Look:
        """Return what is seen at a look that takes up to `seconds`, or at the one under way."""
        question = self.begin(seconds)
        if question.has_ended.wait(max(0.0, question.deadline - time.monotonic())):
            assert question.answer is not None  # noqa: S101 - it ends with one
            return question.answer
        question.give_up()
        look = Look(time.monotonic(), self._code.known, None, question.late())
        self._remember(look)
        return look

    def _answer(self, question: _Question) -> None:
        try:
            with hushed():
                question.answer = self._looked(question)
            self._remember(question.answer)
        finally:
            question.has_ended.set()

    def _remember(self, look: Look) -> None:
        with self._mutex:
            is_new = self.last is None or self.last.state != look.state
            self.last = look
        if look.error is not None and is_new:
            logger.warning("%s", in_one_line(look.error, self._settings))

    def _looked(self, question: _Question) -> Look:
        try:
            return self._look(question)
        except MigrateError as error:
            failed = error
        except DBAPIError as error:
            failed = question.late() if question.is_late else database_failed(error)
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            failed = DatabaseUnreachable(
                f"The database can't be asked: {described(error)}.", retryable=False
            )
        return Look(time.monotonic(), self._code.known, None, failed)

    def _look(self, question: _Question) -> Look:
        code = self._code.read()
        began = time.monotonic()
        engine = self._engine = self._engine or make_engine(self._settings())
        file = sqlite_file(engine.url)
        if file is not None and is_absent(file):  # to connect would create it
            return Look(began, code, code.status(None))
        with _connected(engine, self._settings(), question) as connection:
            return Look(began, code, code.status(connection))


class _Question:
    """One look that is under way, and what ends it when it takes too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.deadline = time.monotonic() + seconds
        self.has_ended = threading.Event()
        self.answer: Look | None = None
        self._connection: Any = None

    @property
    def is_late(self) -> bool:
        """Whether it has taken too long."""
        return time.monotonic() >= self.deadline

    def late(self) -> DatabaseUnreachable:
        """Return the error of a database that has taken too long."""
        return DatabaseUnreachable(
            f"The database did not answer within {self._seconds:.3g} s.",
            hint="is the server stopped or overloaded, or the version table locked?",
            retryable=True,
        )

    def opened(self, dbapi_connection: Any, record: object) -> None:
        """Take note of the driver's connection."""
        self._connection = dbapi_connection

    def give_up(self) -> None:
        """End what the driver waits for, where the driver lets us."""
        if self._connection is not None:
            cut(self._connection)

    def milliseconds_left(self) -> int:
        """Return for how long a server may still work on this."""
        return max(1, round((self.deadline - time.monotonic()) * 1000))


@contextmanager
def _connected(engine: Engine, settings: Settings, question: _Question) -> Iterator[Any]:
    """Open a connection that the server gives up in time, and close it at the end."""
    event.listen(engine, "connect", question.opened, insert=True)
    try:
        with open_connection(engine, settings) as connection:
            if connection.dialect.name == "postgresql":
                # LOCAL: a pooler may give the session to another client afterwards.
                connection.exec_driver_sql(
                    f"SET LOCAL statement_timeout = {question.milliseconds_left()}"
                )
            yield connection
    finally:
        event.remove(engine, "connect", question.opened)
        engine.dispose()

"""Ask without Alembic first, which is far faster, and with it where that gives no answer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..migrator.base.ask_alembic import AskAlembic
from .session import Session

if TYPE_CHECKING:
    from ..migrator.bridge.context import RunContext
    from ..migrator.commands.quick import QuickSource
    from ..migrator.commands.reports import Source

T = TypeVar("T")


def ask(session: Session, question: "Callable[[Source[Any]], T]") -> T:
    """Return the answer to `question`, whichever source has it.

    Raises what `question` raises, and SettingsError.
    """

    def of_alembic(context: "RunContext") -> T:
        from ..migrator.commands.alembic_source import AlembicSource

        return question(AlembicSource(context))

    return ask_first(session, question, of_alembic)


def ask_first(
    session: Session,
    quick: "Callable[[QuickSource], T]",
    ordinary: "Callable[[RunContext], T]",
    seconds: float | None = None,
) -> T:
    """Return what `quick` finds without Alembic, or else what `ordinary` does.

    `seconds` is how long the former may ask the database.

    Raises what these two raise, and SettingsError.
    """
    from ..migrator.commands.quick import QuickSource

    source = None
    try:
        source = QuickSource(session.settings(), seconds)
        return quick(source)
    except AskAlembic:
        pass  # outside, so that an error of `ordinary` has no other behind it
    return ordinary(session.context(source))

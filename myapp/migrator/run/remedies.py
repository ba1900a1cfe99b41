"""What to do about a migration that failed."""

import traceback

from sqlalchemy.exc import DBAPIError

from ..base.errors import MigrateError
from ..base.results import Revision, Step
from ..database.failures import BUSY, error_code, matches
from ..database.sqlite import IgnoredPragma
from ..settings.options import Options

# A statement that PostgreSQL or SQLite refuses within a transaction. SQLite has no code for it.
_NEEDS_AUTOCOMMIT = r"^25001|^(?:SQLITE_ERROR)? .*(?:from within|inside) a transaction"
_IN_AUTOCOMMIT = "run that statement by itself within `with op.get_context().autocommit_block():`"
# Hints for failures that are not the fault of the revision file.
_REMEDIES = {
    _NEEDS_AUTOCOMMIT: _IN_AUTOCOMMIT,
    r"^57014.*user request": "ask who cancelled its statement",
    r"^57014.*statement timeout": "raise `migrate.statement_timeout` (0 is none), or let the"
    " revision do less at a time",
    # PostgreSQL has one code for both, and this server speaks another language.
    r"^57014": "ask whether somebody cancelled its statement; if not, raise"
    " `migrate.statement_timeout` (0 is none)",
    r"^42501": "let the user in `sqlalchemy.url` do this (GRANT it, or make it the owner), or name"
    " another user",
}
# A table or a column that exists already. SQLite has no codes for these.
_THERE_ALREADY = r"^42P07|^42701|(?:table|index) .* already exists|duplicate column name"


def what_to_do(step: Step, error: BaseException, options: Options) -> str:
    """Return what to do about the migration of `step`, which failed and was rolled back."""
    revision = step.revision
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "see why the connection was lost, then run the command again."
    if isinstance(error, DBAPIError) and matches(BUSY, error):
        waits = "lock_patience" if options.retries is None else "lock_timeout"
        raise_it = f", or raise `migrate.{waits}`" if error_code(error) == "55P03" else ""
        return f"another session holds a lock: run the command again when it has ended{raise_it}."
    if _is_irreversible(revision, error):
        return (
            "this revision can't be downgraded: restore a backup, or write in"
            f" {where_in(revision, error)} what undoes it."
        )
    todo = remedy(error)
    if todo == _IN_AUTOCOMMIT:
        todo = f"in {where_in(revision, error)}, {todo}"
    if todo:
        return f"{todo}; then run the command again."
    todo = f"fix {where_in(revision, error)}, then run the command again"
    is_kept = step.direction == "upgrade" and not options.is_thrown_away
    if is_kept and isinstance(error, DBAPIError) and matches(_THERE_ALREADY, error):
        stamp = f"`{{cmd}} stamp {revision.revision}`"
        return f"{todo}; or, if the database has all of this revision already, type {stamp}."
    return f"{todo}."


def remedy(error: BaseException) -> str | None:
    """Return what to do about a timeout, a missing right, or an error of this package."""
    if isinstance(error, MigrateError):
        return (error.hint or "").rstrip(".") or None
    if isinstance(error, IgnoredPragma):
        return _IN_AUTOCOMMIT
    if not isinstance(error, DBAPIError):
        return None
    return next((todo for known, todo in _REMEDIES.items() if matches(known, error)), None)


def _is_irreversible(revision: Revision, error: BaseException) -> bool:
    """Tell whether the file's own `downgrade` raised NotImplementedError.

    Alembic raises it too, for other reasons.
    """
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    return isinstance(error, NotImplementedError) and [
        (each.filename, each.name) for each in frame
    ] == [(revision.path, "downgrade")]


def where_in(revision: Revision, error: BaseException) -> str:
    """Return the path of the revision's file, with the line that failed if it is known."""
    line = line_in(revision, error)
    return f"{revision.path} (line {line})" if line else revision.path


def line_in(revision: Revision, error: BaseException) -> int | None:
    """Return the line of the revision's file that failed, None if it is not known."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == revision.path:
            return frame.lineno
    return None

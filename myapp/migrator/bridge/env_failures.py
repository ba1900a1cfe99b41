"""Turn an exception of `env.py` into an error of this package."""

import traceback
from collections.abc import Iterator
from configparser import InterpolationError
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import ArgumentError, DBAPIError

from ..base.errors import EnvPyFailed, MigrateError, SettingsError
from ..base.faces import ENVIRONMENT
from ..database.failures import database_failed, described
from ..database.refusal import undecoded


@contextmanager
def told_as_errors(*, has_run: bool = False) -> Iterator[None]:
    """Turn every exception within, of `env.py` or the database, into a MigrateError.

    `has_run` says whether migrations may have run before.
    """
    try:
        yield
    except MigrateError:
        raise
    # A `sys.exit()` in an env.py or a revision file would end the command, with its own status.
    except (Exception, SystemExit) as error:
        raise environment_failed(error, has_run=has_run) from error


def environment_failed(error: BaseException, *, has_run: bool = False) -> MigrateError:
    """Return the error of an `env.py` that failed. `has_run` says whether a migration has run."""
    if isinstance(error, MigrateError):
        return error
    if refused := undecoded(error):
        return database_failed(DBAPIError("", None, refused))
    if isinstance(error, DBAPIError):
        return database_failed(error)
    if isinstance(error, ModuleNotFoundError) and error.name == "psycopg":
        return SettingsError(
            "This application's env.py makes its own engine, and SQLAlchemy 2.1 takes a bare"
            " `postgresql://` for the driver psycopg, which is not installed.",
            hint="write `postgresql+psycopg2://` in `sqlalchemy.url`.",
        )
    when = "" if has_run else " before any migration ran"
    path, line = _place(error)
    where = f"{path} (line {line})" if path else "env.py"
    return EnvPyFailed(
        f"{where} failed{when}: {described(error)}.",
        hint=_what_env_py_lacks(error),
        path=path,
        line=line,
    )


def _what_env_py_lacks(error: BaseException) -> str:
    """Return what to do about an `env.py` that failed."""
    if isinstance(error, ModuleNotFoundError):
        return (
            "install what it imports (`pip install -e .` for the application itself), or set"
            " `alembic.prepend_sys_path = %(here)s`."
        )
    if isinstance(error, ArgumentError | InterpolationError):
        return (
            "an env.py that reads the .ini file by itself knows no `${NAME}` and no NAME=VALUE pair"
            f" of the command line: let it call `{ENVIRONMENT}.run_migrations()`."
        )
    return "fix it; `--traceback` before CONFIG_URI shows the way there."


def _place(error: BaseException) -> tuple[str | None, int | None]:
    """Return env.py's path and the line that failed; None where they are not known."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((str(error.filename), error.lineno))
    for path, line in reversed(places):
        if Path(path).name == "env.py":
            return path, line
    return None, None
